import { sseEvent, storyPieces, streams, type WireStream } from '../e2e/support/streams.js'

/** What a provider answers in one protocol, to who asks for a stream and to who does not. */
export interface Wire {
  readonly stream: WireStream
  readonly answer: object
  /** An error in the place of an answer. */
  readonly refusal: object
  /** The same within a stream. */
  readonly errorFrame: Buffer
}

const text = storyPieces.join('')
const model = 'model-of-the-test'
const slow = { message: 'Slow down, please.', type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' }

export const chat: Wire = {
  stream: streams.chat,
  answer: {
    id: 'chat-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: text, refusal: null }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 },
  },
  refusal: { error: slow },
  errorFrame: sseEvent({ error: slow }),
}

// The clients that put an answer together want more of its events than the proxy reads.
const part = { type: 'output_text', annotations: [], logprobs: [] }
const item = { id: 'msg-1', type: 'message', role: 'assistant' }
const whole = { ...item, status: 'completed', content: [{ ...part, text }] }
const place = { item_id: item.id, output_index: 0, content_index: 0 }
const response = {
  id: 'resp-1',
  object: 'response',
  created_at: 1,
  model,
  status: 'in_progress',
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  output: [],
  parallel_tool_calls: true,
  tool_choice: 'auto',
  tools: [],
  usage: null,
}
const completed = {
  ...response,
  status: 'completed',
  output: [whole],
  usage: {
    input_tokens: 9,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 21,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 30,
  },
}
const responseEvents = [
  { type: 'response.created', response },
  { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
  { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
  ...storyPieces.map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
  { type: 'response.output_text.done', ...place, text, logprobs: [] },
  { type: 'response.content_part.done', ...place, part: { ...part, text } },
  { type: 'response.output_item.done', output_index: 0, item: whole },
  { type: 'response.completed', response: completed },
]
const numbered = (events: readonly { type: string }[], from = 0) =>
  events.map((event, at) => sseEvent({ ...event, sequence_number: from + at }, event.type))

export const responses: Wire = {
  stream: { ...streams.responses, frames: numbered(responseEvents) },
  answer: completed,
  refusal: { error: slow },
  errorFrame: numbered([{ ...slow, type: 'error' }], 4)[0]!,
}

const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'req-1' }

export const messages: Wire = {
  stream: streams.anthropic,
  answer: {
    id: 'msg-1',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 7, cache_read_input_tokens: 100, cache_creation_input_tokens: 50, output_tokens: 19 },
  },
  refusal: overloaded,
  errorFrame: sseEvent(overloaded, 'error'),
}

/** A stream up to its first text. */
export function beginning({ frames }: WireStream): readonly Buffer[] {
  return frames.slice(0, frames.findIndex((frame) => frame.includes(storyPieces[0]!)) + 1)
}
