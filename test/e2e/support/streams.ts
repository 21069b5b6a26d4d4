import assert from 'node:assert/strict'
import type { ExchangeRecord, FormatName } from '../../../lib/index.js'
import { awsEvent } from '../../framing/bodies.js'
import type { Call } from './provider.js'

/** A whole stream of one provider protocol, and what its record must have. */
export interface WireStream {
  readonly name: string
  readonly format: FormatName
  /** The provider's path. */
  readonly path: string
  readonly request: Readonly<Record<string, unknown>>
  readonly contentType: string
  /** Frames as the provider sends them; the proxy removes none of them. */
  readonly frames: readonly Buffer[]
  readonly told: Partial<ExchangeRecord>
}

/** The model's output in all of them: longer than the smallest limits of the tests, in a few pieces. */
const pieces = ['Once there was', ' a lighthouse, and', ' a keeper in it', ' who counted ships.']

/** The text of all streams. */
export const written = pieces.join('')

const model = 'model-of-the-test'
const messages = [{ role: 'user', content: 'Tell a story' }]

export function sseEvent(data: unknown, event?: string): Buffer {
  return Buffer.from(`${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(data)}\n\n`)
}

export function line(data: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(data)}\n`)
}

const done = Buffer.from('data: [DONE]\n\n')
const usage = (estimated: boolean, input: number, output: number, total?: number) => ({
  inputTokens: input,
  outputTokens: output,
  ...(total !== undefined && { totalTokens: total }),
  estimated,
})

export function chatChunk(choices: unknown[], more: object = {}): Buffer {
  return sseEvent({ id: 'chat-1', object: 'chat.completion.chunk', created: 1, model, choices, ...more })
}

/** OpenAI's last chunk, which is only sent if it was requested. */
export const chatUsage = chatChunk([], { usage: { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 } })

const chat: WireStream = {
  name: 'OpenAI chat',
  format: 'openai-chat',
  path: '/v1/chat/completions',
  request: { model, stream: true, stream_options: { include_usage: true }, messages },
  contentType: 'text/event-stream',
  frames: [
    chatChunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
    ...pieces.map((content) => chatChunk([{ index: 0, delta: { content }, finish_reason: null }])),
    chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
    chatUsage,
    done,
  ],
  told: { usage: usage(false, 11, 22, 33), responseModel: model, responseId: 'chat-1', finishReason: 'stop' },
}

const completions: WireStream = {
  name: 'OpenAI completions',
  format: 'openai-completions',
  path: '/v1/completions',
  request: { model, stream: true, stream_options: { include_usage: true }, prompt: 'Tell a story' },
  contentType: 'text/event-stream',
  frames: [
    ...pieces.map((text) => sseEvent({ id: 'cmpl-1', model, choices: [{ index: 0, text, finish_reason: null }] })),
    sseEvent({ id: 'cmpl-1', model, choices: [{ index: 0, text: '', finish_reason: 'length' }] }),
    sseEvent({
      id: 'cmpl-1',
      model,
      choices: [],
      usage: { prompt_tokens: 3, completion_tokens: 20, total_tokens: 23 },
    }),
    done,
  ],
  told: { usage: usage(false, 3, 20, 23), responseModel: model, responseId: 'cmpl-1', finishReason: 'length' },
}

const response = (status: string, more: object = {}) => ({ id: 'resp-1', object: 'response', model, status, ...more })
const typed = (type: string, more: object) => sseEvent({ type, ...more }, type)
const responses: WireStream = {
  name: 'OpenAI responses',
  format: 'openai-responses',
  path: '/v1/responses',
  request: { model, stream: true, input: 'Tell a story' },
  contentType: 'text/event-stream',
  frames: [
    typed('response.created', { response: response('in_progress') }),
    ...pieces.map((delta) => typed('response.output_text.delta', { item_id: 'i', output_index: 0, delta })),
    typed('response.completed', {
      response: response('completed', {
        usage: {
          input_tokens: 9,
          input_tokens_details: { cached_tokens: 4 },
          output_tokens: 21,
          output_tokens_details: { reasoning_tokens: 2 },
          total_tokens: 30,
        },
      }),
    }),
  ],
  told: {
    usage: { ...usage(false, 9, 21, 30), cachedInputTokens: 4, reasoningTokens: 2 },
    responseModel: model,
    responseId: 'resp-1',
    finishReason: 'completed',
  },
}

const anthropicMessages = [
  {
    type: 'message_start',
    message: {
      id: 'msg-1',
      type: 'message',
      role: 'assistant',
      content: [],
      model,
      stop_reason: null,
      usage: { input_tokens: 7, cache_read_input_tokens: 100, cache_creation_input_tokens: 50, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ...pieces.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 19 } },
  { type: 'message_stop' },
]
const anthropicTold = {
  usage: { ...usage(false, 7, 19), cachedInputTokens: 100, cacheWriteTokens: 50 },
  responseModel: model,
  responseId: 'msg-1',
  finishReason: 'end_turn',
}
const anthropic: WireStream = {
  name: 'Anthropic messages',
  format: 'anthropic',
  path: '/v1/messages',
  request: { model, stream: true, max_tokens: 99, messages },
  contentType: 'text/event-stream; charset=utf-8',
  frames: anthropicMessages.map((message) => sseEvent(message, message.type)),
  told: anthropicTold,
}

const geminiAnswers = pieces.map((text, at) => ({
  candidates: [
    {
      content: { role: 'model', parts: [{ text }] },
      index: 0,
      ...(at === pieces.length - 1 && { finishReason: 'STOP' }),
    },
  ],
  usageMetadata: {
    promptTokenCount: 5,
    // The first event often has none.
    ...(at > 0 && { candidatesTokenCount: 6 * at }),
    totalTokenCount: 5 + 6 * at + 8,
    thoughtsTokenCount: 8,
  },
  modelVersion: model,
  responseId: 'gem-1',
}))
const geminiTold = {
  usage: { ...usage(false, 5, 18, 31), reasoningTokens: 8 },
  responseModel: model,
  responseId: 'gem-1',
  finishReason: 'STOP',
}
const geminiRequest = { contents: [{ role: 'user', parts: [{ text: 'Tell a story' }] }] }
const geminiSse: WireStream = {
  name: 'Gemini',
  format: 'gemini',
  path: `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
  request: geminiRequest,
  contentType: 'text/event-stream',
  frames: geminiAnswers.map((answer) => Buffer.from(`data: ${JSON.stringify(answer)}\r\n\r\n`)),
  told: geminiTold,
}
const geminiArray: WireStream = {
  name: 'Gemini, as a JSON array',
  format: 'gemini',
  path: `/v1beta/models/${model}:streamGenerateContent`,
  request: geminiRequest,
  contentType: 'application/json; charset=UTF-8',
  frames: [
    ...geminiAnswers.map((answer, at) =>
      Buffer.from(`${at === 0 ? '[' : '\n,\r\n'}${JSON.stringify(answer, null, 2)}`),
    ),
    Buffer.from('\n]'),
  ],
  told: geminiTold,
}

const converse: WireStream = {
  name: 'Bedrock converse',
  format: 'bedrock-converse',
  path: `/model/${model}/converse-stream`,
  request: { messages: [{ role: 'user', content: [{ text: 'Tell a story' }] }] },
  contentType: 'application/vnd.amazon.eventstream',
  frames: [
    awsEvent('{"role":"assistant"}', 'messageStart'),
    ...pieces.map((text) => awsEvent(JSON.stringify({ contentBlockIndex: 0, delta: { text } }), 'contentBlockDelta')),
    awsEvent('{"contentBlockIndex":0}', 'contentBlockStop'),
    awsEvent('{"stopReason":"end_turn"}', 'messageStop'),
    awsEvent(
      '{"usage":{"inputTokens":12,"outputTokens":24,"totalTokens":36,"cacheReadInputTokens":3},"metrics":{}}',
      'metadata',
    ),
  ],
  told: { usage: { ...usage(false, 12, 24, 36), cachedInputTokens: 3 }, finishReason: 'end_turn' },
}

/** A model's message within Bedrock's `invoke` stream. */
function invokeChunk(message: object): Buffer {
  return awsEvent(JSON.stringify({ bytes: Buffer.from(JSON.stringify(message)).toString('base64'), p: 'abc' }), 'chunk')
}

const invoke: WireStream = {
  name: 'Bedrock invoke',
  format: 'bedrock-invoke',
  path: `/model/anthropic.${model}/invoke-with-response-stream`,
  request: { anthropic_version: 'bedrock-2023-05-31', max_tokens: 99, messages },
  contentType: 'application/vnd.amazon.eventstream',
  frames: anthropicMessages.map(invokeChunk),
  told: anthropicTold,
}

const ollamaEnd = { model, done: true, done_reason: 'stop', prompt_eval_count: 4, eval_count: 17 }
const ollamaTold = { usage: usage(false, 4, 17), responseModel: model, finishReason: 'stop' }
const ollamaChat: WireStream = {
  name: 'Ollama chat',
  format: 'ollama-chat',
  path: '/api/chat',
  request: { model, messages },
  contentType: 'application/x-ndjson',
  frames: [
    ...pieces.map((content) => line({ model, message: { role: 'assistant', content }, done: false })),
    line({ ...ollamaEnd, message: { role: 'assistant', content: '' } }),
  ],
  told: ollamaTold,
}
const ollamaGenerate: WireStream = {
  name: 'Ollama generate',
  format: 'ollama-generate',
  path: '/api/generate',
  request: { model, prompt: 'Tell a story' },
  contentType: 'application/x-ndjson',
  frames: [
    ...pieces.map((text) => line({ model, response: text, done: false })),
    line({ ...ollamaEnd, response: '', context: [1, 2, 3] }),
  ],
  told: ollamaTold,
}

const cohereMessages = [
  { type: 'message-start', id: 'coh-1', delta: { message: { role: 'assistant', content: [] } } },
  { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } },
  ...pieces.map((text) => ({ type: 'content-delta', index: 0, delta: { message: { content: { text } } } })),
  { type: 'content-end', index: 0 },
  {
    type: 'message-end',
    delta: {
      finish_reason: 'COMPLETE',
      usage: {
        billed_units: { input_tokens: 2, output_tokens: 18 },
        tokens: { input_tokens: 60, output_tokens: 18 },
        cached_tokens: 32,
      },
    },
  },
]
const cohere: WireStream = {
  name: 'Cohere',
  format: 'cohere',
  path: '/v2/chat',
  request: { model, stream: true, messages },
  contentType: 'text/event-stream',
  frames: cohereMessages.map((message) => sseEvent(message, message.type)),
  told: {
    usage: { ...usage(false, 60, 18), cachedInputTokens: 32 },
    responseId: 'coh-1',
    finishReason: 'COMPLETE',
  },
}

const llamaCppMessages = [
  ...pieces.map((content, at) => ({
    ...{ index: 0, content, tokens: [], stop: false, id_slot: -1, tokens_predicted: at + 1, tokens_evaluated: 60 },
  })),
  {
    ...{ index: 0, content: '', tokens: [], stop: true, model, tokens_predicted: 18, tokens_evaluated: 60 },
    ...{ prompt: 'Tell a story', truncated: false, stop_type: 'eos', tokens_cached: 77, timings: { cache_n: 32 } },
  },
]
const llamaCpp: WireStream = {
  name: 'llama.cpp',
  format: 'llama-cpp',
  path: '/completion',
  request: { model, stream: true, prompt: 'Tell a story' },
  contentType: 'text/event-stream',
  frames: llamaCppMessages.map((message) => sseEvent(message)),
  told: { usage: { ...usage(false, 60, 18), cachedInputTokens: 32 }, finishReason: 'eos' },
}

export const streams = {
  chat,
  completions,
  responses,
  anthropic,
  geminiSse,
  geminiArray,
  converse,
  invoke,
  ollamaChat,
  ollamaGenerate,
  cohere,
  llamaCpp,
} as const satisfies Record<string, WireStream>

export const allStreams: readonly WireStream[] = Object.values(streams)

/** The text in all of them. */
export const storyBytes = Buffer.byteLength(pieces.join(''))
export const storyPieces: readonly string[] = pieces

/** Sends a stream's head and the given chunks. */
export function sendStream(call: Call, { contentType }: WireStream, chunks: readonly Buffer[]): Call {
  call.res.writeHead(200, { 'content-type': contentType })
  call.res.flushHeaders()
  for (const chunk of chunks) call.send(chunk)
  return call
}

/** Asserts that the record has these fields, among others. */
export function assertTold(record: ExchangeRecord, expected: Partial<ExchangeRecord>): void {
  const names = Object.keys(expected) as (keyof ExchangeRecord)[]
  assert.deepEqual(Object.fromEntries(names.map((name) => [name, record[name]])), expected)
}

/** A stream up to its last text, without the figures and everything else at its end. */
export function beforeTheEnd({ frames, format }: WireStream): readonly Buffer[] {
  // Gemini's last event has all figures; the base64 in Bedrock's events contains Anthropic's messages.
  if (format === 'gemini') return frames.slice(0, storyPieces.length - 1)
  if (format === 'bedrock-invoke') return frames.slice(0, anthropicMessages.length - 3)
  return frames.slice(0, frames.findLastIndex((frame) => frame.includes('counted ships')) + 1)
}
