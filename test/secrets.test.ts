import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NO_SECRETS, Secrets } from '../lib/secrets.js'

const KEY = 'sk-a/b+c&d=1234'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')

describe('what is hidden of `Bearer KEY`', () => {
  const secrets = new Secrets([`Bearer ${KEY}`])
  const spellings = {
    'as it is': `Bearer ${KEY}`,
    'without its scheme': KEY,
    'percent-encoded': encodeURIComponent(KEY),
    'percent-encoded in lower case': encodeURIComponent(KEY).toLowerCase(),
    'in JSON, slashes escaped': KEY.replaceAll('/', '\\/'),
    'in HTML': KEY.replaceAll('&', '&amp;'),
    'in base64': base64(KEY),
    'in base64, with its scheme': base64(`Bearer ${KEY}`),
    'in base64url': base64url(KEY),
  }
  for (const [what, spelling] of Object.entries(spellings)) {
    test(what, () => {
      const text = `a ${spelling}, b ${spelling}`
      const hidden = secrets.hide(text)
      assert.equal(hidden.length, text.length)
      assert.match(hidden, /^a [*=]+, b [*=]+$/)
      assert.equal(String(secrets.hideIn(Buffer.from(text))), hidden)
    })
  }

  test('bytes without it are the same bytes', () => {
    const bytes = Buffer.from('nothing to hide')
    assert.equal(secrets.hideIn(bytes), bytes)
  })

  test('bytes with it stay as they were, and a copy is hidden', () => {
    const bytes = Buffer.from(KEY)
    assert.notEqual(secrets.hideIn(bytes), bytes)
    assert.equal(String(bytes), KEY)
  })
})

test('of `Basic …` the password is hidden, too', () => {
  const secrets = new Secrets([`Basic ${base64('someone:correct-horse-9')}`])
  for (const text of [
    base64('someone:correct-horse-9').replace(/=+$/, ''),
    'someone:correct-horse-9',
    'correct-horse-9',
  ]) {
    assert.match(secrets.hide(text), /^\*+$/)
  }
})

test('of several, the longer is hidden whole', () => {
  assert.equal(
    new Secrets(['secret1', 'secret1-and-more']).hide('secret1-and-more, secret1'),
    `${'*'.repeat(16)}, *******`,
  )
})

test('values too short to tell are left: they would be found everywhere', () => {
  const secrets = new Secrets(['2024', 'Bearer x'])
  assert.equal(secrets.hide('2024 x'), '2024 x')
  assert.equal(secrets.hide('Bearer x'), '********')
})

test('a word is no secret where it stands alone: answers may have it', () => {
  for (const word of ['ollama', 'lm-studio', 'not-needed']) {
    const secrets = new Secrets([`Bearer ${word}`])
    assert.equal(secrets.hide(`Run ${word}.`), `Run ${word}.`)
    assert.match(secrets.hide(`Bearer ${word}`), /^\*+$/)
  }
})

test('the beginning of a secret at the end of bytes is told, and nothing else', () => {
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
    assert.equal(secrets.begunIn(Buffer.from(text)), begun, text)
  }
})

test('without secrets there is nothing to do', () => {
  assert.equal(NO_SECRETS.isEmpty, true)
  assert.equal(NO_SECRETS.hide('anything'), 'anything')
  assert.equal(NO_SECRETS.begunIn(Buffer.from('anything')), 0)
})
