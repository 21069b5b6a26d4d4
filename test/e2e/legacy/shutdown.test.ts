import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Events, post } from '../support/client.js'
import { anthropic, openai } from '../support/protocols.js'
import type { Owner } from '../support/provider.js'
import { signIn, startLegacyApp } from './running.js'

/** The app, with a stream under way on each of its routes. */
async function startStreaming(t: Owner, GRACE_MS: string) {
  const app = await startLegacyApp(t, 'app', { GRACE_MS })
  const headers = { cookie: await signIn(app.url) }
  const begun = async (route: 'openai' | 'claude', { path, request, events }: typeof openai) => {
    const answer = post(`${app.url}/ai/${route}${path}`, request, { headers })
    const call = (await app[route].next()).sse([events[0]])
    const received = new Events(await answer)
    assert.equal(await received.next(), events[0])
    return { call, received }
  }
  return { app, streams: [await begun('openai', openai), await begun('claude', anthropic)] as const }
}

const quietEnd = { code: 0, signal: null, complaints: '' }

describe('SIGTERM, in an app that has been in production for years', () => {
  test('lets running streams end; the process then exits with 0', async (t) => {
    const { app, streams } = await startStreaming(t, '60000')
    app.child.kill('SIGTERM')
    await app.closing.next()
    await assert.rejects(fetch(`${app.url}/whoami`), 'nobody listens any more')
    for (const [at, { terminator }] of [openai, anthropic].entries()) {
      const { call, received } = streams[at]!
      call.end(terminator)
      assert.deepEqual(await received.rest(), [terminator])
    }
    assert.deepEqual(await app.over, quietEnd)
    assert.deepEqual(
      app.records.all.map(({ outcome }) => outcome),
      ['completed', 'completed'],
    )
  })

  test('ends streams that take too long with an error event; the process then exits with 0', async (t) => {
    const { app, streams } = await startStreaming(t, '30')
    app.child.kill('SIGTERM')
    for (const [at, { errorInEvent }] of [openai, anthropic].entries()) {
      const { call, received } = streams[at]!
      const [event, ...more] = await received.rest()
      assert.equal(errorInEvent(event).code, 'shutting_down')
      assert.deepEqual(more, [])
      await call.gone
    }
    assert.deepEqual(await app.over, quietEnd)
    assert.deepEqual(
      app.records.all.map(({ outcome, code }) => [outcome, code]),
      Array(2).fill(['shutdown', 'shutting_down']),
    )
  })
})
