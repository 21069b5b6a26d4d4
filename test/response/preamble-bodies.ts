import { awsEvent, awsMessage } from '../framing/bodies.js'

/** A stream of one protocol: what precedes its content, its content, its end, and an error in it. */
export interface ProtocolBody {
  readonly name: string
  readonly path: string
  readonly headers: Record<string, string>
  /** Frames without content. */
  readonly preamble: readonly (Buffer | string)[]
  readonly content: Buffer | string
  readonly end: readonly (Buffer | string)[]
  /** An error, the status that it stands for, and what its message says. */
  readonly error: Buffer | string
  readonly status: number | undefined
  readonly says: string
  /** Its streams need no last message: they end with the body. */
  readonly endsByItself?: boolean
}

const SSE = { 'content-type': 'text/event-stream; charset=utf-8' }
const AWS = { 'content-type': 'application/vnd.amazon.eventstream' }
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const named = (event: string, value: unknown) => `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`
const base64 = (value: unknown) => ({ bytes: Buffer.from(JSON.stringify(value)).toString('base64') })

const chunk = (choice: object) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-4.1-mini',
  choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
})
const response = (status: string, rest: object = {}) => ({
  id: 'resp_1',
  object: 'response',
  status,
  model: 'gpt-5-mini',
  error: null,
  output: [],
  usage: null,
  ...rest,
})

export const protocols: readonly ProtocolBody[] = [
  {
    name: 'openai-chat',
    path: '/v1/chat/completions',
    headers: SSE,
    preamble: [
      ': OPENROUTER PROCESSING\n\n',
      data({ id: '', object: '', model: '', choices: [], prompt_filter_results: [{ prompt_index: 0 }] }),
      data(chunk({ delta: { role: 'assistant', content: '', refusal: null } })),
    ],
    content: data(chunk({ delta: { content: 'Hello' } })),
    end: [data(chunk({ delta: {}, finish_reason: 'stop' })), 'data: [DONE]\n\n'],
    error: data({
      error: { message: 'You exceeded your quota', type: 'insufficient_quota', code: 'insufficient_quota' },
    }),
    status: 429,
    says: 'You exceeded your quota',
  },
  {
    name: 'openai-responses',
    path: '/v1/responses',
    headers: SSE,
    preamble: [
      named('response.created', { type: 'response.created', sequence_number: 0, response: response('in_progress') }),
      named('response.in_progress', {
        type: 'response.in_progress',
        sequence_number: 1,
        response: response('in_progress'),
      }),
      named('response.output_item.added', {
        type: 'response.output_item.added',
        sequence_number: 2,
        item: { id: 'msg_1', type: 'message', status: 'in_progress', content: [] },
      }),
    ],
    content: named('response.output_text.delta', {
      type: 'response.output_text.delta',
      item_id: 'msg_1',
      delta: 'Hello',
    }),
    end: [named('response.completed', { type: 'response.completed', response: response('completed') })],
    error: named('response.failed', {
      type: 'response.failed',
      response: response('failed', { error: { code: 'server_error', message: 'It broke' } }),
    }),
    status: 500,
    says: 'It broke',
  },
  {
    name: 'anthropic',
    path: '/v1/messages',
    headers: SSE,
    preamble: [
      named('message_start', {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          model: 'claude',
          content: [],
          stop_reason: null,
          usage: { input_tokens: 9 },
        },
      }),
      named('content_block_start', {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'text', text: '' },
      }),
      named('ping', { type: 'ping' }),
    ],
    content: named('content_block_delta', {
      type: 'content_block_delta',
      delta: { type: 'text_delta', text: 'Hello' },
    }),
    end: [
      named('message_delta', {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: { output_tokens: 1 },
      }),
      named('message_stop', { type: 'message_stop' }),
    ],
    error: named('error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    status: 529,
    says: 'Overloaded',
  },
  {
    name: 'gemini as events',
    path: '/v1beta/models/gemini-3:streamGenerateContent?alt=sse',
    headers: SSE,
    preamble: [data({ usageMetadata: { promptTokenCount: 9 }, modelVersion: 'gemini-3', responseId: 'r1' })],
    content: data({ candidates: [{ content: { parts: [{ text: 'Hello' }] } }] }),
    end: [data({ candidates: [{ finishReason: 'STOP' }] })],
    error: data({ error: { code: 503, message: 'The model is overloaded', status: 'UNAVAILABLE' } }),
    status: 503,
    says: 'The model is overloaded',
  },
  {
    name: 'gemini as an array',
    path: '/v1beta/models/gemini-3:streamGenerateContent',
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    preamble: [`[${JSON.stringify({ usageMetadata: { promptTokenCount: 9 }, modelVersion: 'gemini-3' })}`],
    content: `,\r\n${JSON.stringify({ candidates: [{ content: { parts: [{ text: 'Hello' }] } }] })}`,
    end: [`,\r\n${JSON.stringify({ candidates: [{ finishReason: 'STOP' }] })}`, ']'],
    error: `,\r\n${JSON.stringify({ error: { message: 'Too many', status: 'RESOURCE_EXHAUSTED' } })}`,
    status: 429,
    says: 'Too many',
  },
  {
    name: 'bedrock-converse',
    path: '/model/claude/converse-stream',
    headers: AWS,
    preamble: [awsEvent('{"role":"assistant"}', 'messageStart')],
    content: awsEvent('{"contentBlockIndex":0,"delta":{"text":"Hello"}}'),
    end: [
      awsEvent('{"stopReason":"end_turn"}', 'messageStop'),
      awsEvent('{"usage":{"inputTokens":9,"outputTokens":1}}', 'metadata'),
    ],
    error: awsMessage(
      { ':message-type': 'exception', ':exception-type': 'throttlingException', ':content-type': 'application/json' },
      '{"message":"Too many requests"}',
    ),
    status: 429,
    says: 'Too many requests',
  },
  {
    name: 'bedrock-invoke',
    path: '/model/claude/invoke-with-response-stream',
    headers: AWS,
    preamble: [
      awsEvent(
        JSON.stringify(base64({ type: 'message_start', message: { id: 'm', content: [], usage: {} } })),
        'chunk',
      ),
    ],
    content: awsEvent(
      JSON.stringify(base64({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hello' } })),
      'chunk',
    ),
    end: [awsEvent(JSON.stringify(base64({ type: 'message_stop' })), 'chunk')],
    error: awsMessage(
      { ':message-type': 'exception', ':exception-type': 'modelStreamErrorException' },
      '{"message":"The model failed","originalStatusCode":424}',
    ),
    status: 500,
    says: 'The model failed',
  },
  {
    name: 'cohere',
    path: '/v2/chat',
    headers: SSE,
    preamble: [
      named('message-start', {
        type: 'message-start',
        id: 'm',
        delta: { message: { role: 'assistant', content: [] } },
      }),
      named('content-start', { type: 'content-start', delta: { message: { content: { type: 'text', text: '' } } } }),
    ],
    content: named('content-delta', { type: 'content-delta', delta: { message: { content: { text: 'Hello' } } } }),
    end: [named('message-end', { type: 'message-end', delta: { finish_reason: 'COMPLETE' } })],
    error: named('message-end', { type: 'message-end', delta: { finish_reason: 'ERROR', error: 'It broke' } }),
    status: undefined,
    says: 'It broke',
  },
  {
    name: 'ollama',
    path: '/api/chat',
    headers: { 'content-type': 'application/x-ndjson' },
    preamble: ['{"model":"llama3","message":{"role":"assistant","content":""},"done":false}\n'],
    content: '{"model":"llama3","message":{"role":"assistant","content":"Hello"},"done":false}\n',
    end: ['{"model":"llama3","message":{"content":""},"done":true,"done_reason":"stop","eval_count":1}\n'],
    error: '{"error":"an error was encountered while running the model"}\n',
    status: undefined,
    says: 'an error was encountered while running the model',
  },
]

/** Joins pieces of a body. */
export function joined(...pieces: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece as string)))
}
