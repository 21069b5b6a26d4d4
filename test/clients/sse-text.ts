import { Readable } from 'node:stream'
import { Events } from '../e2e/support/client.js'

/** The events of a body that comes in, one after the other, as they were sent. */
export async function* eventsIn(body: NodeJS.ReadableStream): AsyncGenerator<string> {
  const events = new Events(new Response(Readable.toWeb(body as Readable) as ReadableStream<Uint8Array>))
  for (let event = await events.next(); event !== undefined; event = await events.next()) yield event
}

/** The text in an event of a chat; `undefined` where it has none. */
export function chatTextIn(event: string): string | undefined {
  const data = event.replace(/^data: /, '')
  if (!data.startsWith('{')) return undefined
  const { choices } = JSON.parse(data) as { choices: { delta: { content?: string } }[] }
  return choices[0]?.delta.content
}
