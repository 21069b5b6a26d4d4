import assert from 'node:assert/strict'
import http from 'node:http'

/** An event with a text. */
export const chunk = (text: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`
/** The event that ends the text. */
export const last = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`

/** Reads so many bytes of an answer, or all of it, and closes the connection. */
export async function readSome(url: string, headers: Record<string, string>, bytes: number, body?: object) {
  const method = body ? 'POST' : 'GET'
  const json = body && JSON.stringify(body)
  const call = http.request(url, {
    method,
    headers: { ...headers, ...(json && { 'content-type': 'application/json' }) },
  })
  call.end(json)
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    call.on('response', resolve).on('error', reject)
  })
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    const wanted = piece.subarray(0, bytes - size)
    pieces.push(wanted)
    size += wanted.length
    if (size >= bytes) break
  }
  response.destroy()
  return { status: response.statusCode, headers: response.headers, text: Buffer.concat(pieces).toString('latin1') }
}

/** An event without its id, and that. */
export interface IdentifiedEvent {
  readonly id: string
  readonly event: string
}

/** Returns the whole events of a text, with their ids. */
export function wholeEvents(text: string): IdentifiedEvent[] {
  const end = text.lastIndexOf('\n\n')
  const events = end === -1 ? [] : text.slice(0, end).split('\n\n')
  return events.flatMap((event) => {
    const [, id, rest] = /^id: (\S+)\n([\s\S]*)$/.exec(event) ?? []
    return id === undefined ? [] : [{ id, event: `${rest}\n\n` }]
  })
}

/** Each event that was sent has come once, in order, with the number that it has. */
export function assertEachOnce(got: readonly IdentifiedEvent[], sent: readonly string[]): void {
  assert.deepEqual(
    got.map(({ event }) => Buffer.from(event, 'latin1').toString()),
    sent,
  )
  const epoch = got[0]!.id.split('.')[0]
  assert.deepEqual(
    got.map(({ id }) => id),
    sent.map((_, n) => `${epoch}.${n + 1}`),
  )
}
