import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultForwardHeaders } from '../../lib/index.js'
import type { Call, Owner } from '../e2e/support/provider.js'
import { type Answering, bothWays, type Way } from './both-ways.js'

/** What an `EventSource` tells its page. */
export interface Heard {
  readonly type: string
  readonly data?: string
  readonly lastEventId?: string
  /** Of errors: whether it tries again (0), or not (2). */
  readonly readyState?: number
  /** The status, which only some tell. */
  readonly code?: number
}

export interface Listener {
  next(): Promise<Heard>
  close(): Promise<void>
}

/** The types of events that it listens to. */
export const HEARD = ['open', 'message', 'token', 'error'] as const

const path = '/events/7'
const endpoints = ['GET events/*']
const forwardHeaders = [...defaultForwardHeaders, 'last-event-id']

interface EventSources {
  readonly skip: string | false
  readonly page?: string
  /** Opens one. */
  listen(t: Owner, way: Way, path: string): Promise<Listener>
}

/** What an `EventSource` has to show, without the proxy and through it: it can only GET. */
export function describeEventSource(name: string, { skip, page, listen }: EventSources): void {
  const heardBothWays = (t: Owner, answering: Answering, use: (way: Way) => Promise<unknown>) =>
    bothWays(t, answering, use, { page, options: { endpoints, forwardHeaders } })

  describe(name, { skip }, () => {
    test('receives each event as it is sent, and stops the provider when closed', async (t) => {
      const { app } = await heardBothWays(
        t,
        (call) => call.sse([': welcome\n\n']),
        async (way) => {
          const listener = await listen(t, way, path)
          const call = await way.provider.next()
          const heard = [await listener.next()]
          for (const event of [
            'data: one\n\n',
            'id: 7\nevent: token\ndata: two\ndata: lines\n\n',
            ': a comment\n\ndata:three\r\n\r\n',
            'data: Göteborg 🚢\n\n',
            'event: token\ndata: {"json":"\\n"}\n\n',
          ]) {
            call.send(event)
            heard.push(await listener.next())
          }
          await listener.close()
          await call.gone
          return heard
        },
      )
      assert.equal((await app.record()).outcome, 'client_disconnect')
    })

    test('reconnects at the end of the stream, with the id of the last event', async (t) => {
      const answering: Answering = (call, at) => {
        if (at > 0) call.sse(['id: 3\ndata: three\n\n'])
        else call.sse(['retry: 1\n\n', 'id: 1\ndata: one\n\n', 'id: 2\ndata: two\n\n']).end()
      }
      await heardBothWays(t, answering, async (way) => {
        const listener = await listen(t, way, path)
        const heard: Heard[] = []
        while (heard.at(-1)?.data !== 'three') heard.push(await listener.next())
        await listener.close()
        await way.provider.next()
        const second = await way.provider.next()
        assert.equal(second.headers['last-event-id'], '2')
        await second.gone
        return heard
      })
    })

    const refusals: readonly [string, (call: Call) => unknown][] = [
      ['a 401', (call) => call.json(401, { error: { message: 'Who are you?' } })],
      ['a 500', (call) => call.json(500, { error: { message: 'Oh dear' } })],
      ['a 204, which tells it not to reconnect', ({ res }) => res.writeHead(204).end()],
      ['an answer that is not an event stream', (call) => call.json(200, {})],
    ]
    for (const [what, refuse] of refusals) {
      test(`gives up on ${what}`, async (t) => {
        await heardBothWays(t, refuse, async (way) => {
          const listener = await listen(t, way, path)
          const heard = await listener.next()
          assert.deepEqual([heard.type, heard.readyState], ['error', 2])
          await listener.close()
          return heard
        })
      })
    }
  })
}
