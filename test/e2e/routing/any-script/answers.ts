import { anthropic, openai } from '../../support/protocols.js'

export type ProtocolName = 'openai' | 'anthropic'

export const protocolOf = { openai, anthropic }

/** What a scripted provider answers; the content is made when it is asked, with a mark of its own. */
export interface AnswerPlan {
  readonly status: number
  readonly retryAfter: Readonly<Record<string, string>>
  /** A stream if its client asks for one, and the status is a success; JSON otherwise. */
  readonly stream: StreamPlan
  readonly json: 'answer' | 'error' | 'unfinished' | 'page' | 'empty'
  readonly bodyFraming: 'chunked' | 'length' | 'close'
  /** Where the body is split into HTTP's chunks, and the bytes into writes: shares of their length. */
  readonly chunks: readonly number[]
  readonly writes: readonly number[]
  /** Where the provider stops, as a share of all bytes, and how; `undefined` if its answer is whole. */
  readonly cut: { readonly at: number; readonly how: 'reset' | 'end' | 'stall' } | undefined
}

export interface StreamPlan {
  readonly hasComment: boolean
  readonly contents: number
  readonly ending: 'whole' | 'without-terminator' | 'none'
  /** The place of an error event, after which there is nothing, or only a terminator. */
  readonly error: { readonly at: number; readonly type: string; readonly isTerminated: boolean } | undefined
}

/** An answer as it goes over the wire. */
export interface Answer {
  readonly mark: string
  readonly status: number
  /** The events of a stream; `undefined` if it is none. */
  readonly events: readonly string[] | undefined
  readonly body: string
  readonly wire: Buffer
  readonly isCloseDelimited: boolean
}

/** Statuses of which the response has no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 304])

/** @param mark a text that no other answer has: it is in the head, and in each event but the terminator */
export function answerOf(plan: AnswerPlan, protocol: ProtocolName, isStream: boolean, mark: string): Answer {
  const isBodiless = BODILESS.has(plan.status)
  const isSuccess = plan.status >= 200 && plan.status < 300
  const events = isStream && isSuccess && !isBodiless ? eventsOf(plan.stream, protocol, mark) : undefined
  const body = isBodiless ? '' : (events?.join('') ?? jsonOf(plan, protocol, isSuccess, mark))
  const type = events ? 'text/event-stream' : plan.json === 'page' && !isSuccess ? 'text/html' : 'application/json'
  const bodyFraming = isBodiless ? 'none' : plan.bodyFraming
  const headers: Record<string, string> = {
    'content-type': type,
    'x-call-id': mark,
    ...plan.retryAfter,
    ...(bodyFraming === 'length' && { 'content-length': String(body.length) }),
    ...(bodyFraming === 'chunked' && { 'transfer-encoding': 'chunked' }),
    ...(bodyFraming === 'close' && { connection: 'close' }),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const coded = bodyFraming === 'chunked' ? chunked(body, plan.chunks) : body
  const wire = Buffer.from(`HTTP/1.1 ${plan.status} Scripted\r\n${lines.join('')}\r\n${coded}`)
  return { mark, status: plan.status, events, body, wire, isCloseDelimited: bodyFraming === 'close' }
}

/** Splits what has a length at shares of it. */
export function pieces<T extends { slice(from: number, to: number): T; length: number }>(
  whole: T,
  shares: readonly number[],
): T[] {
  const places = [0, ...shares.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b), whole.length]
  return places.slice(1).flatMap((end, at) => (end > places[at]! ? [whole.slice(places[at]!, end)] : []))
}

function chunked(body: string, shares: readonly number[]): string {
  const chunks = pieces(body as string & { slice(from: number, to: number): string }, shares)
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
}

function eventsOf(plan: StreamPlan, protocol: ProtocolName, mark: string): string[] {
  const { beginning, content, ending, terminator, error } = speakers[protocol](mark)
  const contents = Array.from({ length: plan.contents }, (_, at) => content(`word${at}`))
  const end = plan.ending === 'none' ? [] : plan.ending === 'whole' ? [...ending, terminator] : ending
  const events = [...(plan.hasComment ? [`: ping ${mark}\n\n`] : []), ...beginning, ...contents, ...end]
  if (!plan.error) return events
  const { at, type, isTerminated } = plan.error
  // Nobody reports an error after the end.
  const place = Math.min(at, events.length - end.length)
  return [...events.slice(0, place), error(type), ...(isTerminated ? [terminator] : [])]
}

/** Whether an event ends a stream for the client: the terminator, or the last but it, or an error. */
export function isEnd(event: string): boolean {
  return isTerminator(event) || isError(event) || /"finish_reason":"stop"|"stop_reason":"end_turn"/.test(event)
}

export function isTerminator(event: string): boolean {
  return event === openai.terminator || event === anthropic.terminator
}

export function isError(event: string): boolean {
  return /"error":\{/.test(event)
}

interface Speaker {
  readonly beginning: readonly string[]
  content(text: string): string
  readonly ending: readonly string[]
  readonly terminator: string
  error(type: string): string
}

const speakers: Record<ProtocolName, (mark: string) => Speaker> = {
  openai: (mark) => {
    const chunk = (delta: object, finish_reason: string | null = null) =>
      `data: ${JSON.stringify({ id: mark, object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
    return {
      beginning: [chunk({ role: 'assistant' })],
      content: (content) => chunk({ content }),
      ending: [chunk({}, 'stop')],
      terminator: openai.terminator,
      error: (type) =>
        `data: ${JSON.stringify({ error: { message: `no ${mark}`, type, code: type, param: null } })}\n\n`,
    }
  },
  anthropic: (mark) => {
    const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, mark, ...more })}\n\n`
    const usage = { input_tokens: 1, output_tokens: 1 }
    const message = { id: mark, type: 'message', role: 'assistant', content: [], model: 'm', stop_reason: null, usage }
    return {
      beginning: [
        event('message_start', { message }),
        event('ping', {}),
        event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      ],
      content: (text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
      ending: [
        event('content_block_stop', { index: 0 }),
        event('message_delta', {
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: { output_tokens: 3 },
        }),
      ],
      terminator: anthropic.terminator,
      error: (type) => event('error', { error: { type, message: `no ${mark}` } }),
    }
  },
}

function jsonOf({ json, status }: AnswerPlan, protocol: ProtocolName, isSuccess: boolean, mark: string): string {
  const error = JSON.stringify(errorBody(protocol, mark))
  if (!isSuccess) return json === 'empty' ? '' : json === 'page' ? `<html>${status} ${mark}</html>` : error
  if (json === 'error') return error
  const answer = JSON.stringify(
    protocol === 'openai'
      ? { id: mark, object: 'chat.completion', model: 'm', choices: [openaiChoice], usage: openaiUsage }
      : { id: mark, type: 'message', role: 'assistant', model: 'm', content: [text], stop_reason: 'end_turn', usage },
  )
  return json === 'unfinished' ? answer.slice(0, -9) : answer
}

const openaiChoice = { index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }
const openaiUsage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
const text = { type: 'text', text: 'Hello' }
const usage = { input_tokens: 1, output_tokens: 1 }

function errorBody(protocol: ProtocolName, mark: string): object {
  const error = { type: 'server_error', message: `no ${mark}` }
  return protocol === 'openai' ? { error: { ...error, code: null, param: null } } : { type: 'error', error }
}
