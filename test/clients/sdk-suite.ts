import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { startApp } from '../e2e/support/app.js'
import { type Call, startProvider } from '../e2e/support/provider.js'
import { sendStream, storyPieces } from '../e2e/support/streams.js'
import { type Answering, bothWays, type Way } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { outcomeOf, thrownBy } from './thrown.js'
import { beginning, type Wire } from './wires.js'

export interface How {
  readonly signal?: AbortSignal
  readonly maxRetries: number
}

/** A client of a provider's API, as apps use it. */
export interface Sdk<T> {
  /** Why it cannot run here. */
  readonly skip?: string | false
  readonly wire: Wire
  /** How often it is put off before it is answered: where it waits long between its tries, not often. */
  readonly refusals?: number
  /** Whether it leaves the provider when its stream is read no further. */
  readonly leavesUnread?: boolean
  /** What the client makes of a stream. */
  stream(url: string, how: How): AsyncIterable<T>
  /** The text in an item of it. */
  textOf(item: T): string | undefined
  /** What the client makes of an answer that is no stream. */
  ask(url: string, how: How): Promise<unknown>
}

const once: How = { maxRetries: 0 }
// In seconds. Less than one is nothing that HTTP knows, but the clients take it, and the tests do not wait.
const putOff = { 'retry-after': '0.01', 'x-request-id': 'req-1', 'request-id': 'req-1' }

/** What every client has to show, without the proxy and through it. */
export function describeSdk<T>(name: string, { skip = false, ...sdk }: Sdk<T>): void {
  const { wire, refusals = 2, leavesUnread = true } = sdk
  const opens: Answering = (call) => sendStream(call, wire.stream, [])
  const begins: Answering = (call) => sendStream(call, wire.stream, beginning(wire.stream))
  const answers = (call: Call) => {
    if (call.received.includes('"stream":true')) {
      sendStream(call, wire.stream, wire.stream.frames).end()
    } else call.json(200, wire.answer, { 'x-request-id': 'req-2', 'request-id': 'req-2' })
  }
  const read = (url: string, how: How) => new Reader(sdk.stream(url, how), sdk.textOf)
  const drained = (url: string, how: How) => read(url, how).rest()

  describe(name, { skip, concurrency: true }, () => {
    test('a stream arrives piece by piece', async (t) => {
      const { app } = await bothWays(t, opens, ({ url, provider }) =>
        readInStep(provider, wire.stream, sdk.stream(url, once), sdk.textOf),
      )
      assert.equal((await app.record()).outcome, 'completed')
    })

    test('a non-streaming answer is read', async (t) => {
      await bothWays(
        t,
        async (call) => answers(await bodyOf(call)),
        ({ url }) => sdk.ask(url, once),
      )
    })

    // Without the proxy, some SDKs take such a stream for a whole one.
    test('a stream that ends too early throws', async (t) => {
      const provider = await startProvider(t, {
        onCall: (call) => sendStream(call, wire.stream, beginning(wire.stream)).end(),
      })
      const app = await startApp(t, { target: provider.url })
      await assert.rejects(drained(app.url, once), (thrown) => /before it was complete/.test(inspect(thrown)))
      assert.equal((await app.record()).code, 'upstream_truncated')
    })

    describe('disconnecting stops the provider', { concurrency: true }, () => {
      const left = async ({ provider }: Way) => (await provider.next()).gone

      test('by a signal, in the stream', async (t) => {
        const { app } = await bothWays(t, begins, async (way) => {
          const leaving = new AbortController()
          const reader = read(way.url, { ...once, signal: leaving.signal })
          assert.equal(await reader.nextText(), storyPieces[0])
          leaving.abort()
          const outcome = await outcomeOf(() => reader.rest())
          await left(way)
          return outcome
        })
        assert.equal((await app.record()).outcome, 'client_disconnect')
      })

      test('by a signal, while the provider is silent', async (t) => {
        const { app } = await bothWays(
          t,
          () => {},
          async ({ url, provider }) => {
            const leaving = new AbortController()
            const outcome = outcomeOf(() => drained(url, { ...once, signal: leaving.signal }))
            const call = await provider.next()
            leaving.abort()
            await call.gone
            return outcome
          },
        )
        assert.equal((await app.record()).outcome, 'client_disconnect')
      })

      test('by a signal, without a stream', async (t) => {
        const { app } = await bothWays(
          t,
          () => {},
          async ({ url, provider }) => {
            const leaving = new AbortController()
            const thrown = thrownBy(() => sdk.ask(url, { ...once, signal: leaving.signal }))
            const call = await provider.next()
            leaving.abort()
            await call.gone
            return thrown
          },
        )
        assert.equal((await app.record()).outcome, 'client_disconnect')
      })

      if (!leavesUnread) return
      test('by reading no further', async (t) => {
        const { app } = await bothWays(t, begins, async (way) => {
          const reader = read(way.url, once)
          await reader.nextText()
          await reader.leave()
          await left(way)
          return reader.items
        })
        assert.equal((await app.record()).outcome, 'client_disconnect')
      })
    })

    describe('retries get', { concurrency: true }, () => {
      const how = { maxRetries: refusals }
      const late: Answering = async (call, at) => {
        await bodyOf(call)
        if (at < refusals) call.json(429, wire.refusal, putOff)
        else answers(call)
      }

      test('a stream', async (t) => {
        const { app } = await bothWays(t, late, ({ url }) => drained(url, how))
        assert.deepEqual(
          app.records.map(({ status }) => status),
          [...Array(refusals).fill(429), 200],
        )
      })

      test('a non-streaming answer', async (t) => {
        await bothWays(t, late, ({ url }) => sdk.ask(url, how))
      })

      test('the error, if they are used up', async (t) => {
        await bothWays(
          t,
          (call) => call.json(429, wire.refusal, putOff),
          ({ url }) => thrownBy(() => sdk.ask(url, { maxRetries: 1 })),
        )
      })
    })

    describe('errors', { concurrency: true }, () => {
      for (const status of [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 529]) {
        test(`status ${status}`, async (t) => {
          await bothWays(
            t,
            (call) => call.json(status, wire.refusal, putOff),
            async ({ url }) => [await thrownBy(() => drained(url, once)), await thrownBy(() => sdk.ask(url, once))],
          )
        })
      }

      test('an HTML page of a gateway, and an empty body', async (t) => {
        const answering: Answering = ({ res }, at) => {
          res.writeHead(502, at % 2 ? {} : { 'content-type': 'text/html' }).end(at % 2 ? '' : '<h1>Bad gateway</h1>')
        }
        await bothWays(t, answering, async ({ url }) => [
          await thrownBy(() => sdk.ask(url, once)),
          await thrownBy(() => sdk.ask(url, once)),
        ])
      })

      test('in the stream', async (t) => {
        const { app } = await bothWays(
          t,
          (call) => sendStream(call, wire.stream, [...beginning(wire.stream), wire.errorFrame]).end(),
          ({ url }) => outcomeOf(() => drained(url, once)),
        )
        assert.equal((await app.record()).outcome, 'upstream_error')
      })
    })
  })
}

async function bodyOf(call: Call): Promise<Call> {
  await call.body
  return call
}
