import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import compression from 'compression'
import type { Express } from 'express'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { within } from '../support/waiting.js'
import { idOf, withoutId } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]
const headers = { 'accept-encoding': 'gzip' }

/** compression() leaves an answer alone that says `no-transform`; a middleware of the app may take that away again. */
const ways: readonly [what: string, encoding: string | null, before: (app: Express) => void][] = [
  ['as it is', null, (app) => void app.use(compression({ threshold: 0 }))],
  [
    'that compresses streams, too',
    'gzip',
    (app) => {
      app.use(compression({ threshold: 0 }), (_req, res, next) => {
        const set = res.setHeader.bind(res)
        res.setHeader = (name, value) => set(name, name === 'cache-control' ? 'no-cache' : value)
        next()
      })
    },
  ],
]

for (const [what, encoding, before] of ways) {
  describe(`behind compression() ${what}`, () => {
    async function started(t: TestContext, options: Partial<AiProxyOptions>) {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, heartbeat: false, ...options } as AiProxyOptions, {
        before,
      })
      const ask = () => within(post(app.url + path, request, { headers }), 'the head')
      return { provider, app, ask }
    }

    test('resume: events with ids arrive one by one, also to a client that continues', async (t) => {
      const { provider, app, ask } = await started(t, { resume: { who: () => 'ada' } })
      const asked = ask()
      const call = (await provider.next()).sse()
      const response = await asked
      assert.equal(response.headers.get('content-encoding'), encoding)
      assert.match(response.headers.get('x-stream-id') ?? '', /^[\w-]{22}$/)
      const reader = new Events(response)
      const url = new URL(response.headers.get('x-stream-url')!, app.url)
      const continued = await within(fetch(url, { headers }), 'the head of the continuation')
      assert.equal(continued.headers.get('content-encoding'), encoding)
      const other = new Events(continued)
      for (const [at, event] of all.entries()) {
        call.send(event)
        for (const each of [reader, other]) {
          const got = (await each.next())!
          assert.equal(withoutId(got), event)
          assert.equal(idOf(got).split('.')[1], String(at + 1))
        }
      }
      call.end()
      for (const each of [reader, other]) assert.equal(await each.next(), undefined)
      for (const record of [await app.record(), await app.record()]) assert.equal(record.outcome, 'completed')
    })

    test('cache: a client that joins gets events one by one, and a hit is whole', async (t) => {
      const { provider, app, ask } = await started(t, {
        resume: { who: () => 'ada' },
        cache: { ttlMs: 1e6, scope: () => 'all' },
        joinIdentical: true,
      })
      const leading = ask()
      const call = (await provider.next()).sse()
      const answers = [await leading, await ask()]
      assert.deepEqual(
        answers.map((response) => response.headers.get('x-cache')),
        ['miss', 'join'],
      )
      const readers = answers.map((response) => new Events(response))
      for (const event of all) {
        call.send(event)
        for (const reader of readers) assert.equal(withoutId((await reader.next())!), event)
      }
      call.end()
      for (const reader of readers) assert.equal(await reader.next(), undefined)
      for (const record of [await app.record(), await app.record()]) assert.equal(record.outcome, 'completed')
      const hit = await ask()
      assert.equal(hit.headers.get('x-cache'), 'hit')
      assert.equal(hit.headers.get('content-encoding'), encoding)
      assert.match(hit.headers.get('x-stream-id') ?? '', /^[\w-]{22}$/)
      assert.deepEqual((await new Events(hit).rest()).map(withoutId), all)
      assert.equal(provider.calls.length, 1)
    })

    test('cache: a JSON answer is whole from the provider, and as a hit', async (t) => {
      const { provider, app } = await started(t, { cache: { ttlMs: 1e6, scope: () => 'all' } })
      const answer = { choices: [{ message: { content: 'hi'.repeat(5000) }, finish_reason: 'stop' }] }
      const ask = () => post(app.url + path, { ...request, stream: false }, { headers })
      const asked = ask()
      ;(await provider.next()).json(200, answer)
      assert.deepEqual(await (await asked).json(), answer)
      await app.record()
      const hit = await ask()
      assert.deepEqual([hit.headers.get('x-cache'), hit.headers.get('content-encoding')], ['hit', 'gzip'])
      assert.deepEqual(await hit.json(), answer)
    })
  })
}
