import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { type AiProxyOptions, hashedKeys, newKey } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

const { path, request, events, terminator } = openai

type Given = Partial<AiProxyOptions>

/** Asks an app once, and tells what became of it. */
async function asked(t: TestContext, given: Given, sent: Record<string, string> = {}, at = path, model = 'gpt-5') {
  t.mock.method(process, 'emitWarning', () => {})
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const errors: unknown[] = []
  const onError: AiProxyOptions['onError'] = (error, { hook }) => void errors.push([hook, (error as Error).message])
  const app = await startApp(t, { target: provider.url, onError, ...given })
  const response = await post(app.url + at, { ...request, model }, { headers: sent })
  const text = await response.text()
  return { status: response.status, response, text, record: await app.record(), errors, calls: provider.calls }
}

describe('identify', () => {
  test('puts the subject and its tenant into record, hooks and observers', async (t) => {
    const seen: unknown[] = []
    const { status, record } = await asked(t, {
      identify: () => ({ id: 'ada', tenant: 'acme', tier: 'paid', labels: { plan: 'pro', team: 'x' } }),
      labels: ({ subject }) => ({ team: subject?.tenant, tier: subject?.tier }),
      onRequest: (_, { subject }) => void seen.push(subject?.id),
      observers: [{ onRequest: ({ subject, tenant }) => void seen.push([subject, tenant]) }],
    })
    assert.equal(status, 200)
    assert.deepEqual([record.subject, record.tenant], ['ada', 'acme'])
    assert.deepEqual(record.labels, { plan: 'pro', team: 'acme', tier: 'paid' })
    assert.deepEqual(seen, ['ada', ['ada', 'acme']])
  })

  test('takes an id alone, also from a promise', async (t) => {
    for (const identify of [() => 'ada', async () => 'ada']) {
      const { record } = await asked(t, { identify })
      assert.deepEqual([record.subject, record.tenant], ['ada', undefined])
    }
  })

  for (const [name, at, body] of [
    ['OpenAI', path, /"type":"[a-z_]+","code":"unauthenticated"/],
    ['Anthropic', '/v1/messages', /"type":"error","error":\{"type":"authentication_error"/],
  ] as const) {
    test(`refuses with 401 whom it does not know, in the protocol of ${name}`, async (t) => {
      const { status, response, text, record, calls, errors } = await asked(t, { identify: () => null }, {}, at)
      assert.deepEqual([status, record.code, record.outcome, calls.length], [401, 'unauthenticated', 'rejected', 0])
      assert.equal(response.headers.get('www-authenticate'), 'Bearer')
      assert.match(text, body)
      assert.deepEqual(errors, [])
    })
  }

  for (const returned of [undefined, '', 5, true, {}, { id: '' }, { id: 7 }, { id: 'x'.repeat(257) }, ['ada']]) {
    test(`lets nothing pass if it returns ${JSON.stringify(returned)?.slice(0, 30)}`, async (t) => {
      const { status, record, errors, calls } = await asked(t, { identify: () => returned as never })
      assert.deepEqual([status, record.code, calls.length, errors.length], [500, 'internal_error', 0, 1])
      assert.match(String(errors[0]), /^identify,identify must return/)
    })
  }

  test('that throws gives 500 and a call of onError; with a status, that status', async (t) => {
    const fails = await asked(t, { identify: () => Promise.reject(new Error('no database')) })
    assert.deepEqual([fails.status, fails.errors], [500, [['identify', 'no database']]])
    const refuses = await asked(t, {
      identify: () => {
        throw Object.assign(new Error('Your account is locked'), { status: 403 })
      },
    })
    assert.deepEqual([refuses.status, refuses.record.code, refuses.errors], [403, 'request_refused', []])
    assert.match(refuses.text, /Your account is locked/)
  })

  test('limits the models of a subject, in addition to those of the route', async (t) => {
    const identify = () => ({ id: 'ada', models: ['gpt-5', 'gpt-6'] })
    assert.equal((await asked(t, { identify }, {}, path, 'gpt-5')).status, 200)
    assert.equal((await asked(t, { identify }, {}, path, 'gpt-4')).record.code, 'model_not_allowed')
    assert.equal((await asked(t, { identify, models: ['gpt-5'] }, {}, path, 'gpt-6')).record.code, 'model_not_allowed')
  })

  test('is called once, before the body is read, and gives up after firstByteTimeoutMs', async (t) => {
    let calls = 0
    const { status, text, record } = await asked(t, {
      identify: () => {
        calls++
        return new Promise<string>(() => {})
      },
      limits: { firstByteTimeoutMs: 30 },
    })
    assert.deepEqual([status, record.code, calls, record.requestBytes], [504, 'first_byte_timeout', 1, 0])
    const message = "The app's `identify` did not answer in time (limits.firstByteTimeoutMs: 30)"
    assert.deepEqual([JSON.parse(text).error.message, record.error], [message, message])
  })

  test('that is no function is refused when the middleware is created', async (t) => {
    await assert.rejects(asked(t, { identify: 'ada' as never }), /aiProxy: identify takes a function; got 'ada'/)
  })
})

describe('hashedKeys', () => {
  for (const [header, value] of [
    ['authorization', (key: string) => `Bearer ${key}`],
    ['authorization', (key: string) => key],
    ['x-api-key', (key: string) => key],
    ['api-key', (key: string) => key],
    ['x-goog-api-key', (key: string) => key],
  ] as const) {
    test(`knows a client by ${header}: ${value('<key>')}`, async (t) => {
      const { key, hash } = newKey()
      const identify = hashedKeys({ [hash]: { id: 'ada', tenant: 'acme' }, [newKey().hash]: 'bob' })
      const good = await asked(t, { identify }, { [header]: value(key) })
      assert.deepEqual([good.status, good.record.subject], [200, 'ada'])
      const bad = await asked(t, { identify }, { [header]: value(newKey().key) })
      assert.deepEqual([bad.status, bad.record.subject], [401, undefined])
    })
  }

  test('never sends a key on, whatever the options say', async (t) => {
    const { key, hash } = newKey()
    const identify = hashedKeys({ [hash]: 'ada' })
    for (const given of [
      {},
      { forwardCredentials: true },
      { forwardHeaders: ['authorization', 'x-api-key', 'x-*'], forwardCredentials: true },
      { forwardHeaders: () => true },
      { auth: { headers: { authorization: 'Bearer provider' } }, forwardHeaders: ['x-*'] },
    ]) {
      const sent = { authorization: `Bearer ${key}`, 'x-api-key': key, 'x-other': `key=${key}`, 'x-plain': 'plain' }
      const at = `${path}?a=1&user=${key}&${key}=2&b=x%2F${encodeURIComponent(key)}&c=3`
      const { status, calls } = await asked(t, { identify: async (req) => identify(req), ...given }, sent, at)
      assert.equal(status, 200)
      assert.ok(!JSON.stringify(calls[0]?.req.rawHeaders).includes(key), JSON.stringify(given))
      assert.equal(calls[0]?.url, `${path}?a=1&c=3`)
    }
  })

  test("sends a client's other credential on if that is asked for", async (t) => {
    const { key, hash } = newKey()
    const sent = { 'x-api-key': key, authorization: 'Bearer own' }
    const { calls } = await asked(t, { identify: hashedKeys({ [hash]: 'ada' }), forwardCredentials: true }, sent)
    assert.equal(calls[0]?.req.headers.authorization, 'Bearer own')
    assert.equal(calls[0]?.req.headers['x-api-key'], undefined)
  })

  test('shows no key in an error', () => {
    const secret = 'sk-a-key-in-the-wrong-place'
    for (const name of [secret, 'sha256:short']) {
      assert.throws(
        () => hashedKeys({ [name]: 'ada' }),
        (error: Error) => error instanceof TypeError && !error.message.includes(secret),
      )
    }
    assert.throws(() => hashedKeys([] as never), /hashedKeys takes an object/)
    assert.throws(() => hashedKeys({ [newKey().hash]: 5 as never }), /hashedKeys takes an id.*got 5/)
  })

  test('takes a plain object of subjects', () => {
    const message = /hashedKeys takes an object of subjects/
    assert.throws(() => hashedKeys(new Map([[newKey().hash, 'ada']]) as never), message)
    assert.throws(() => hashedKeys(Promise.resolve({}) as never), message)
  })

  for (const [wrong, message] of [
    [{ tenant: 5 }, /tenants of 1 to 256 characters; got 5$/],
    [{ tier: '' }, /tiers of 1 to 256 characters; got ''$/],
    [{ models: 'gpt' }, /valid models: aiProxy: models takes a list .* got 'gpt'$/],
    [{ models: ['gpt-*'] }, /valid models: .*models\[0\] takes a model's whole name/],
    [{ labels: 5 }, /labels as an object; got 5$/],
    [{ labels: { plan: 5 } }, /labels as strings; plan is 5$/],
    [{ id: 'a'.repeat(257) }, /ids of 1 to 256 characters; got 'aaa/],
  ] as const) {
    test(`refuses the subject ${inspect(wrong)} when it is called`, () => {
      const { hash } = newKey()
      const subject = { id: 'ada', ...wrong } as never
      assert.throws(
        () => hashedKeys({ [hash]: subject }),
        (error: Error) => error instanceof TypeError && error.message.startsWith(`hashedKeys takes, for ${hash}, `),
      )
      assert.throws(() => hashedKeys({ [hash]: subject }), message)
    })
  }
})

describe('newKey', () => {
  test('makes a key that cannot be guessed, with its prefix', () => {
    const made = Array.from({ length: 50 }, () => newKey('acme_'))
    assert.equal(new Set(made.map(({ key }) => key)).size, 50)
    for (const { key, hash } of made) {
      assert.match(key, /^acme_[\w-]{43}$/)
      assert.match(hash, /^sha256:[0-9a-f]{64}$/)
    }
    assert.throws(() => newKey('a b'), TypeError)
    assert.throws(() => newKey(null as never), /newKey takes a prefix .*; got null/)
  })
})
