import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { until } from '../support/waiting.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }

async function start(t: TestContext) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    limits: { terminatorGraceMs: false },
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
  })
  return { provider, app }
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
})
