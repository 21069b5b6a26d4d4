import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { until } from '../support/waiting.js'
import { idOf, withoutId } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }

async function start(t: TestContext, given: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    limits: { terminatorGraceMs: false },
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    ...given,
  })
  return { provider, app }
}

/** Lets one client join the request of another, which leaves if it is to. @returns what the second gets of an answer */
async function join(t: TestContext, given: Partial<AiProxyOptions>, json: object, leaves: boolean) {
  const { provider, app } = await start(t, given)
  const leave = new AbortController()
  const leading = post(app.url + path, json, { signal: leave.signal }).catch(() => {})
  const call = await provider.next()
  const joining = post(app.url + path, json)
  await until(() => app.proxy.exchanges()[1]?.phase === 'waiting', 'it has joined')
  if (leaves) {
    leave.abort()
    await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'the first has left')
  }
  return async (status: number, body: object) => {
    call.res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const response = await joining
    const text = (await response.text()).replaceAll(': heartbeat\n\n', '')
    await (await leading)?.text().catch(() => {})
    await until(() => app.records.length === 2, 'both records')
    const of = (how: string) => app.records.find(({ cache }) => cache === how)!
    return { status: response.status, text, led: of('miss'), joined: of('join') }
  }
}

describe('a client that has joined an answer', () => {
  for (const what of ['abort(id)', 'close()']) {
    test(`gets no failure after the end of the stream: ${what}`, async (t) => {
      const { provider, app } = await start(t)
      const leading = post(app.url + path, request)
      const call = (await provider.next()).sse([...events, terminator])
      const leader = new Events(await leading)
      for (const event of [...events, terminator]) assert.equal(await leader.next(), event)
      const joined = new Events(await post(app.url + path, request))
      for (const event of [...events, terminator]) assert.equal(await joined.next(), event)
      if (what === 'close()') void app.proxy.close({ graceMs: 0 })
      else app.proxy.abort(app.proxy.exchanges()[1]!.id)
      assert.deepEqual(await joined.rest(), [])
      await until(() => app.records.some(({ cache }) => cache === 'join'), 'its record')
      const { outcome, code } = app.records.find(({ cache }) => cache === 'join')!
      assert.deepEqual([outcome, code], ['completed', undefined])
      call.end()
    })
  }

  for (const [what, body, code] of [
    ['nothing', '', 'upstream_truncated'],
    ['a page', '<html>', 'upstream_error'],
  ]) {
    test(`is told if ${what} comes, and the first client has left`, async (t) => {
      const { provider, app } = await start(t)
      const leave = new AbortController()
      const json = { ...request, stream: false }
      const leading = post(app.url + path, json, { signal: leave.signal }).catch(() => {})
      const call = await provider.next()
      const joining = post(app.url + path, json)
      await until(() => app.proxy.exchanges().length === 2, 'it has joined')
      await until(() => app.proxy.exchanges()[1]?.phase === 'waiting', 'it waits')
      leave.abort()
      await leading
      await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'the first has left')
      call.res.writeHead(200, { 'content-type': 'application/json' }).end(body)
      const response = await joining
      assert.deepEqual([response.status, openai.errorIn(await response.json()).code], [502, code])
    })
  }

  const early = { heartbeat: { everyMs: 60_000, beforeFirstByte: true } }
  const json = { ...request, stream: false }
  const whole = { choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] }
  const refusal = { error: { message: 'slow down', code: 'rate_limit' } }

  for (const [what, given] of [
    ['onAnswer', { onAnswer: () => undefined }],
    ['onAnswer, with an answer of its own', { onAnswer: () => ({ body: { own: true } }) }],
    ['onResponse, with an answer of its own', { onResponse: () => ({ status: 203, body: { own: true } }) }],
  ] as const) {
    for (const [how, options, body] of [
      ['a JSON answer', {}, json],
      ['a stream that was opened early', early, request],
    ] as const) {
      test(`gets ${how} that the first has left: ${what}`, { timeout: 20_000 }, async (t) => {
        const results = []
        for (const leaves of [false, true]) {
          for (const [status, answer] of [[200, whole] as const, [429, refusal] as const]) {
            const answered = await join(t, { ...given, ...options }, body, leaves)
            const { status: got, text, joined } = await answered(status, answer)
            assert.notEqual(text, '')
            results.push([got, text, joined.outcome])
          }
        }
        assert.deepEqual(results.slice(2), results.slice(0, 2))
      })
    }
  }

  test('has the outcome of the first: a refusal that became an event', async (t) => {
    const answered = await join(t, early, request, false)
    const { led, joined } = await answered(429, refusal)
    assert.deepEqual([led.outcome, led.code], ['provider_error', 'upstream_error'])
    assert.deepEqual([joined.outcome, joined.code], ['provider_error', 'upstream_error'])
  })

  test("has the outcome of the first: the app's answer in the place of a refusal", async (t) => {
    const answered = await join(t, { onResponse: () => ({ body: { own: true } }) }, json, false)
    const { led, joined } = await answered(429, refusal)
    assert.deepEqual([led.outcome, joined.outcome], ['completed', 'completed'])
  })

  for (const [whose, resume] of [
    ['a stream', false],
    ['a stream that can be continued', { who: () => 'ada' }],
  ] as const) {
    test(`is not told why the app ended the request of the first: ${whose}`, async (t) => {
      let isOver = false
      const refuse = { code: 'quota_exceeded', message: 'user:ada has used it up' } as const
      const policies = [{ name: 'p', progress: () => (isOver ? refuse : undefined) }]
      const { provider, app } = await start(t, { policies, resume })
      const leading = post(app.url + path, request)
      const call = (await provider.next()).sse(events.slice(0, 1))
      const leader = new Events(await leading)
      assert.equal(withoutId((await leader.next())!), events[0])
      const joined = new Events(await post(app.url + path, request))
      assert.equal(withoutId((await joined.next())!), events[0])
      isOver = true
      call.send(events[1]!)
      const [own, others] = [await leader.rest(), await joined.rest()]
      assert.deepEqual([own.length, others.length], [2, 2])
      assert.match(own[1]!, /"message":"user:ada has used it up".*"code":"quota_exceeded"/)
      assert.match(others[1]!, /"code":"aborted"/)
      assert.doesNotMatch(others.join(''), /quota|ada/)
      if (resume) assert.equal(idOf(own[1]!), idOf(others[1]!))
      await until(() => app.records.length === 2, 'both records')
      const codes = app.records.map(({ cache, outcome, code }) => [cache, outcome, code])
      assert.deepEqual(codes.sort(), [
        ['join', 'rejected', 'aborted'],
        ['miss', 'limit_exceeded', 'quota_exceeded'],
      ])
    })
  }
})
