/** The bytes that the provider of a storm sends, made once, beforehand. */

/** One chat-completion event as OpenAI sends it, about 300 bytes. */
function event(text: string, finish: 'stop' | null): string {
  const chunk = {
    id: 'chatcmpl-C8mT2nQ0kZr5LwYf4vRs8uHjEaGd',
    object: 'chat.completion.chunk',
    created: 1_760_000_000,
    model: 'storm',
    service_tier: 'default',
    system_fingerprint: 'fp_cbf1785567',
    choices: [{ index: 0, delta: { content: text }, logprobs: null, finish_reason: finish }],
    usage: null,
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

/** Providers send each event as a chunk of its own, and many of them in one packet. That is what keeps proxies busy. */
function inChunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

const COUNT = 4000
const events = Array.from({ length: COUNT }, (_, index) => inChunk(event(` word ${index}`, null)))

/** The head of every answer. */
export const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n',
)
/** The last events of an answer. */
export const END = Buffer.concat([inChunk(event('', 'stop')), inChunk('data: [DONE]\n\n'), Buffer.from('0\r\n\r\n')])
/** One event. */
export const EVENT = inChunk(event(' word', null))
/** Many events for one write: about a megabyte. */
export const EVENTS = Buffer.concat(events)
/** The beginning of an event whose end never comes. */
export const HALF_AN_EVENT = inChunk(event(' this event was never finished', null).split('ished')[0] as string)
