/** What passes between the processes of a storm, and what the bursting provider says: made once, beforehand. */

export const kinds = ['burst', 'leave', 'stall', 'break'] as const
export type Kind = (typeof kinds)[number]

export const contenders = ['ours', 'plain'] as const
export type Contender = (typeof contenders)[number]

/** What the provider tells of itself, several times a second. */
export interface ProviderState {
  port: number
  /** Streams that it is generating, and since when it has none (milliseconds since the epoch). */
  generating: number
  idleSince: number
}

export interface ContenderState {
  port: number
  /** Memory of its process. */
  rssBytes: number
}

export interface CrowdState {
  isWarm: boolean
  receivedBytes: number
  /** Streams that ended: all, those that were told of a failure by an error event, and those that were just cut. */
  ended: number
  told: number
  cut: number
  /** Requests that got no stream at all. */
  refused: number
  /** The last bytes that one of the clients got, where its stream breaks off. */
  tail: string
}

export type ToCrowd =
  | { say: 'warm up'; url: string }
  | { say: 'go'; url: string; kind: Kind; streams: number }
  | { say: 'leave' }

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

/** Providers send each event as a chunk of its own, many of them in one packet: that is what makes proxies work. */
function inChunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

const EVENTS = 4000
const words = Array.from({ length: EVENTS }, (_, index) => inChunk(event(` word ${index}`, null)))

export const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n',
)
export const END = Buffer.concat([inChunk(event('', 'stop')), inChunk('data: [DONE]\n\n'), Buffer.from('0\r\n\r\n')])
/** One event. */
export const WORD = inChunk(event(' word', null))
/** Many events for one write: about a megabyte. */
export const WORDS = Buffer.concat(words)
/** The beginning of an event whose end will not come. */
export const HALF_A_WORD = inChunk(event(' this event was never finished', null).split('ished')[0] as string)
