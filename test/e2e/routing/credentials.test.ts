import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, KEYS, refuse, startPair } from '../support/targets.js'

const THEIRS = 'key-of-the-client-0123456789'
const ask = (url: string) =>
  post(url + openai.path, openai.request, { headers: { authorization: `Bearer ${THEIRS}`, 'x-api-key': THEIRS } })
const headersOf = (call: Call | undefined) => JSON.stringify([call?.req.rawHeaders, call?.url])

/** Says in its error what key it got. */
const blabs = (status: number) => (call: Call) =>
  refuse(status, `Incorrect API key: ${call.headers.authorization}`)(call)

describe("each target gets its own key, and nobody else's", () => {
  test('after a failure, too', async (t) => {
    const { a, b, app } = await startPair(t, refuse(500))
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    for (const call of a.calls) {
      assert.equal(call.headers.authorization, `Bearer ${KEYS.a}`)
      assert.ok(!headersOf(call).includes(KEYS.b) && !headersOf(call).includes(THEIRS))
    }
    assert.equal(b.calls[0]?.headers.authorization, `Bearer ${KEYS.b}`)
    assert.ok(!headersOf(b.calls[0]).includes(KEYS.a) && !headersOf(b.calls[0]).includes(THEIRS))
  })

  test('in a header or a query', async (t) => {
    const { a, b, app } = await startPair(t, refuse(500), answer, {
      ofA: { auth: { query: { key: KEYS.a } } },
      ofB: { auth: { headers: { 'x-api-key': KEYS.b } } },
    })
    await (await ask(app.url)).text()
    assert.ok(a.calls[0]?.url.includes(`key=${KEYS.a}`) && !headersOf(a.calls[0]).includes(THEIRS))
    assert.ok(!b.calls[0]?.url.includes('key=') && b.calls[0]?.headers['x-api-key'] === KEYS.b)
    assert.equal(b.calls[0]?.headers.authorization, undefined)
  })

  test("and none the client's, even if it has no key of its own", async (t) => {
    const { a, b, app } = await startPair(t, refuse(500), answer, { ofA: { auth: {} } })
    await (await ask(app.url)).text()
    assert.ok(!headersOf(a.calls[0]).includes(THEIRS) && !headersOf(a.calls[0]).includes(KEYS.b))
    assert.ok(!headersOf(b.calls[0]).includes(THEIRS))
  })

  test("but all the client's if no target has a key", async (t) => {
    const { a, b, app } = await startPair(t, refuse(500), answer, { ofA: { auth: {} }, ofB: { auth: {} } })
    await (await ask(app.url)).text()
    assert.deepEqual(
      [a, b].map(({ calls }) => calls[0]?.headers.authorization),
      [`Bearer ${THEIRS}`, `Bearer ${THEIRS}`],
    )
  })
})

describe('no key reaches the client', () => {
  for (const status of [401, 500, 400]) {
    test(`in the error with status ${status} that a provider said`, async (t) => {
      const { app } = await startPair(t, blabs(status), blabs(status))
      const response = await ask(app.url)
      const text = (await response.text()) + inspect([...response.headers])
      assert.equal(response.status, status)
      assert.match(text, /Incorrect API key: \*+/)
      assert.ok(!text.includes(KEYS.a) && !text.includes(KEYS.b), text)
      const record = inspect(await app.record(), { depth: 9 })
      assert.ok(!record.includes(KEYS.a) && !record.includes(KEYS.b), record)
    })
  }

  test('in an error event of the first target, if all fail', async (t) => {
    const says = (call: Call) =>
      call
        .sse([
          `data: ${JSON.stringify({ error: { message: `bad key ${call.headers.authorization}`, code: '401' } })}\n\n`,
        ])
        .end()
    const { app } = await startPair(t, says, (call) => call.reset())
    const text = await (await ask(app.url)).text()
    assert.match(text, /bad key \*+/)
    assert.ok(!text.includes(KEYS.a), text)
  })

  test('in the answer of the second target', async (t) => {
    const { app } = await startPair(t, refuse(500), (call) =>
      call
        .sse([
          `data: ${JSON.stringify({ choices: [{ delta: { content: call.headers.authorization } }] })}\n\n`,
          openai.terminator,
        ])
        .end(),
    )
    const text = await (await ask(app.url)).text()
    assert.match(text, /"\*+"/)
    assert.ok(!text.includes(KEYS.b), text)
  })
})

describe('a target without credentials for this request', () => {
  test('is passed over, and does not cool', async (t) => {
    const auth = { headers: { authorization: () => Promise.reject(new Error(`vault of ${KEYS.a}`)) } }
    const { a, app } = await startPair(t, answer, answer, { ofA: { auth }, warnings: false })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a credentials_unavailable', 'b'])
    assert.equal(a.calls.length, 0)
    assert.equal(app.proxy.stats().targets[0]?.coolingUntil, undefined)
  })

  test('fails with 500 if it is the only one, and its reason stays here', async (t) => {
    const a = await startProvider(t, { onCall: answer })
    const auth = { headers: { authorization: () => Promise.reject(new Error(`vault of ${KEYS.a}`)) } }
    const app = await startApp(t, { targets: [{ name: 'a', target: a.url, auth }], warnings: false })
    const response = await ask(app.url)
    const text = await response.text()
    assert.deepEqual([response.status, openai.errorIn(JSON.parse(text)).code], [500, 'credentials_unavailable'])
    assert.ok(!text.includes('vault'))
  })
})

test('refused credentials are warned of once, and the target cools for a minute', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error & { code?: string }) => {
    if (warning.code === 'AI_PROXY_TARGET_REFUSED') warnings.push(warning)
  }
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  const { a, app } = await startPair(t, refuse(401))
  for (let at = 0; at < 3; at++) assert.equal(await (await ask(app.url)).text(), ANSWER)
  assert.equal(a.calls.length, 1)
  assert.match(
    warnings.map(({ message }) => message).join('\n'),
    /^The target a refused its credentials \(status 401\)[^\n]*$/,
  )
  assert.equal(app.proxy.stats().targets[0]?.coolingBecause, '401')
})

describe('what is wrong with the key of one client keeps no other from a target', () => {
  const content = openai.events[0]!
  const error = (code: string) => `data: ${JSON.stringify({ error: { message: 'no', type: 'error', code } })}\n\n`
  const failures: Readonly<Record<string, (call: Call) => unknown>> = {
    'a key that is refused': refuse(401),
    'no more credit': refuse(402),
    'its own rate limit': refuse(429, 'slow down', { 'retry-after': '60' }),
    'an error event before content': (call) => call.sse([error('invalid_api_key')]).end(),
    'an error event after content': (call) => call.sse([content, error('rate_limit_exceeded')]).end(),
  }
  for (const [what, act] of Object.entries(failures)) {
    test(what, async (t) => {
      const onCall = (call: Call) => (call.headers.authorization === 'Bearer good' ? answer(call) : act(call))
      const { app } = await startPair(t, onCall, onCall, {
        ofA: { auth: {} },
        ofB: { auth: {} },
        forwardCredentials: true,
        whenAllCooling: 'refuse',
      })
      const askWith = (key: string) =>
        post(app.url + openai.path, openai.request, { headers: { authorization: `Bearer ${key}` } })
      await (await askWith('bad')).text()
      await app.record()
      assert.equal(await (await askWith('good')).text(), ANSWER)
      assert.equal((await app.record()).target, 'a')
    })
  }
})
