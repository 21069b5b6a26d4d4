import { test } from 'node:test'
import { sendStream } from '../e2e/support/streams.js'
import { Queue } from '../e2e/support/waiting.js'
import { bothWays } from './both-ways.js'
import { describeEventSource, HEARD, type Heard, type Listener } from './event-sources.js'
import { readInStep } from './in-step.js'
import { cannotRun } from './needs.js'
import { chatTextIn } from './sse-text.js'
import { chat } from './wires.js'

const skip = cannotRun('eventsource')

async function listenTo(url: string, init?: { fetch: typeof fetch }): Promise<Listener> {
  const { EventSource } = await import('eventsource')
  const source = new EventSource(url, init as ConstructorParameters<typeof EventSource>[1])
  const heard = new Queue<Heard>('an event')
  for (const type of HEARD) {
    source.addEventListener(type, (event) => {
      const { data, lastEventId, code } = event as Heard
      heard.push(type === 'error' ? { type, readyState: source.readyState, code } : { type, data, lastEventId })
    })
  }
  return { next: () => heard.next(), close: async () => source.close() }
}

describeEventSource('eventsource', { skip, listen: (_t, { url }, path) => listenTo(url + path) })

test('eventsource streams a chat with a `fetch` that sends POST', { skip }, async (t) => {
  await bothWays(
    t,
    (call) => sendStream(call, chat.stream, []),
    async ({ url, provider }) => {
      const posts: typeof fetch = (input, init) =>
        fetch(input, {
          ...init,
          method: 'POST',
          headers: { ...init?.headers, 'content-type': 'application/json' },
          body: JSON.stringify(chat.stream.request),
        })
      async function* messages() {
        const listener = await listenTo(url + chat.stream.path, { fetch: posts })
        for (;;) {
          const { type, data } = await listener.next()
          if (data === '[DONE]') break
          if (type === 'message') yield data!
        }
        await listener.close()
      }
      return readInStep(provider, chat.stream, messages(), chatTextIn)
    },
  )
})
