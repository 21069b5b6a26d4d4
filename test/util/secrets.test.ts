import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileSecrets, NO_SECRETS, Secrets } from '../../lib/util/secrets.js'

const KEY = "sk-a/b+c&d=1234~'<9>"
const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')

describe('of `Bearer KEY`, every spelling of the key is masked', () => {
  const secrets = new Secrets([`Bearer ${KEY}`])
  const spellings = {
    'as it is': `Bearer ${KEY}`,
    'without its scheme': KEY,
    'percent-encoded': encodeURIComponent(KEY),
    'percent-encoded in lower case': encodeURIComponent(KEY).toLowerCase(),
    'percent-encoded as forms are': String(new URLSearchParams({ key: KEY })).slice('key='.length),
    'percent-encoded, what a query may have left': "sk-a/b%2Bc%26d=1234~'%3C9%3E",
    'percent-encoded, all of it': encodeURIComponent(KEY).replaceAll("'", '%27'),
    'percent-encoded twice': encodeURIComponent(encodeURIComponent(KEY)),
    'in JSON, slashes escaped': KEY.replaceAll('/', '\\/'),
    'in JSON, as Go has it': "sk-a/b+c\\u0026d=1234~'\\u003c9\\u003e",
    'in JSON, as Gson has it': 'sk-a/b+c\\u0026d\\u003d1234~\\u0027\\u003c9\\u003e',
    'in JSON, as .NET has it': 'sk-a/b\\u002Bc\\u0026d=1234~\\u0027\\u003C9\\u003E',
    'in JSON, all of it': 'sk-a\\u002fb\\u002bc\\u0026d\\u003d1234\\u007e\\u0027\\u003c9\\u003e',
    'in JSON, all of it in upper case': 'sk-a\\u002Fb\\u002Bc\\u0026d\\u003D1234\\u007E\\u0027\\u003C9\\u003E',
    'in HTML': KEY.replaceAll('&', '&amp;'),
    'in HTML, all of it': 'sk-a/b+c&amp;d=1234~&#39;&lt;9&gt;',
    'in base64': base64(KEY),
    'in base64, with its scheme': base64(`Bearer ${KEY}`),
    'in base64url': base64url(KEY),
  }
  for (const [what, spelling] of Object.entries(spellings)) {
    test(what, () => {
      const text = `a ${spelling}, b ${spelling}`
      const hidden = secrets.mask(text)
      assert.equal(hidden.length, text.length)
      assert.match(hidden, /^a [*=]+, b [*=]+$/)
      assert.equal(String(secrets.maskBytes(Buffer.from(text))), hidden)
    })
  }

  test('returns bytes without a secret as the same object', () => {
    const bytes = Buffer.from('nothing to hide')
    assert.equal(secrets.maskBytes(bytes), bytes)
  })

  test('copies bytes with a secret, and does not change the original', () => {
    const bytes = Buffer.from(KEY)
    assert.notEqual(secrets.maskBytes(bytes), bytes)
    assert.equal(String(bytes), KEY)
  })
})

test('the password of `Basic …` is masked', () => {
  const secrets = new Secrets([`Basic ${base64('someone:correct-horse-9')}`])
  for (const text of [
    base64('someone:correct-horse-9').replace(/=+$/, ''),
    'someone:correct-horse-9',
    'correct-horse-9',
  ]) {
    assert.match(secrets.mask(text), /^\*+$/)
  }
})

describe('the key within a value is masked', () => {
  const key = 'f3a9c2e1-key-77'
  for (const value of [
    `session=${key}`,
    `lang=en; session=${key}; theme=dark`,
    `Token token="${key}"`,
    `Token token="${key}", email="a"`,
    `Key id:${key}`,
    `id:${key}`,
    `ApiKey ${base64(`id:${key}`)}`,
    `Basic ${base64(`${key}:`)}`,
    `Basic ${base64(`${key}:x`)}`,
    `AWS4-HMAC-SHA256 Credential=AKIA1234/eu, SignedHeaders=host;x-amz-date, Signature=${key}`,
  ]) {
    test(value, () => {
      assert.equal(new Secrets([value]).mask(`bad key ${key}, again`), `bad key ${'*'.repeat(key.length)}, again`)
    })
  }

  test('without the text next to it', () => {
    for (const [value, text] of [
      [`Basic ${base64(`dev@site.example:${key}`)}`, 'dev@site.example'],
      [`Key project-2024:${key}`, 'project-2024'],
      [`AWS4-HMAC-SHA256 SignedHeaders=x-amz-content-sha256;host, Signature=${key}`, 'x-amz-content-sha256'],
      ['https://site1.example', '//site1.example'],
    ] as const) {
      assert.equal(new Secrets([value]).mask(`of ${text}`), `of ${text}`)
    }
  })
})

test('the longer of two overlapping secrets is masked whole', () => {
  assert.equal(
    new Secrets(['secret1', 'secret1-and-more']).mask('secret1-and-more, secret1'),
    `${'*'.repeat(16)}, *******`,
  )
})

test('a key whose base64 has a plus and a slash is masked in both alphabets', () => {
  const key = 'sk->>>???~~~'
  assert.match(base64(key), /\+.*\//)
  const secrets = new Secrets([`Bearer ${key}`])
  for (const spelling of [base64(key), base64url(key), encodeURIComponent(base64(key))]) {
    assert.match(secrets.mask(spelling), /^[*=]+$/, spelling)
  }
})

test('a secret needs at least six characters', () => {
  assert.equal(new Secrets(['k3y-9z']).mask('k3y-9z'), '******')
  assert.equal(new Secrets(['k3y-9']).mask('k3y-9'), 'k3y-9')
})

test('the secrets of one key are compiled once, and dropped after many others', () => {
  const key = ['Bearer f3a9c2e1-key-77']
  const compiled = compileSecrets(key)
  assert.equal(compileSecrets([...key]), compiled)
  for (let at = 0; at < 1000; at++) compileSecrets([`Bearer token-${at}-of-many`])
  assert.notEqual(compileSecrets(key), compiled)
  assert.equal(compileSecrets([]), NO_SECRETS)
})

test('values too short to be distinctive are not masked, because they would match everywhere', () => {
  const secrets = new Secrets(['2024', 'Bearer x'])
  assert.equal(secrets.mask('2024 x'), '2024 x')
  assert.equal(secrets.mask('Bearer x'), '********')
})

test('a plain word is not a secret: answers may contain it', () => {
  for (const word of [
    'ollama',
    'lm-studio',
    'not-needed',
    'no-key-required',
    'YOUR_API_KEY',
    'Not needed',
    'Ollama',
    '123456',
  ]) {
    const secrets = new Secrets([`Bearer ${word}`])
    assert.equal(secrets.mask(`Run ${word}.`), `Run ${word}.`)
    assert.match(secrets.mask(`Bearer ${word}`), /^\*+$/)
  }
})

test('a value that resembles words or a number is a secret', () => {
  for (const secret of ['aBcDeFgHiJ', 'abcdefghijklmnop', 'correct-horse-battery-staple', '123456789', 'sk-test-1']) {
    assert.match(new Secrets([secret]).mask(secret), /^\*+$/)
  }
})

test('a secret whose encodings are mostly fixed characters is masked in all its spellings', () => {
  const secret = 'a/b1+c%d2&e~'
  const secrets = new Secrets([secret])
  const json = JSON.stringify({ secret, form: encodeURIComponent(secret), twice: encodeURIComponent(base64(secret)) })
  const masked = secrets.mask(json)
  assert.equal(masked.length, json.length)
  assert.deepEqual(
    Object.values(JSON.parse(masked)).map((value) => /^[*%3D=]+$/.test(String(value))),
    [true, true, true],
  )
  assert.equal(String(secrets.maskBytes(Buffer.from(json))), masked)
})

test('the beginning of a secret at the end of a chunk is detected, and nothing else', () => {
  const secrets = new Secrets(['sesame-Open'])
  for (const [text, begun] of [
    ['sesame-Ope', 10],
    ['open s', 1],
    ['open sesame-', 7],
    ['sesame-Open', 0],
    ['sesames', 1],
    ['', 0],
    ['s', 1],
  ] as const) {
    assert.equal(secrets.partialMatchLength(Buffer.from(text)), begun, text)
  }
})

test('without secrets nothing is masked', () => {
  assert.equal(NO_SECRETS.isEmpty, true)
  assert.equal(NO_SECRETS.mask('anything'), 'anything')
  assert.equal(NO_SECRETS.partialMatchLength(Buffer.from('anything')), 0)
})
