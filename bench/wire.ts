/**
 * The bytes that client and provider exchange, computed once, so that neither spends time on it while the proxy
 * is measured.
 */

/** Occurs once in every event and every JSON answer, and nowhere else: clients count events by it. */
export const MARK = '~'.charCodeAt(0)

/** Number of events of a stream, unless its scenario sets another. */
export const EVENTS_PER_STREAM = 4000

const WORDS = [' the', ' stream', ' of', ' tokens', ',', ' which', ' one', ' reads', ' slowly', '.']

/** One chat-completion event as OpenAI sends it, about 300 bytes. */
function event(choices: string, usage: string): Buffer {
  return Buffer.from(
    'data: {"id":"chatcmpl-C8mT2nQ0kZr5LwYf4vRs8uHjEaGd","object":"chat.completion.chunk","created":1760000000,' +
      '"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_cbf1785567",' +
      `"choices":${choices},"usage":${usage},"obfuscation":"~k3Vd"}\n\n`,
  )
}

function delta(fields: string, finish: string): string {
  return `[{"index":0,"delta":{${fields}},"logprobs":null,"finish_reason":${finish}}]`
}

function word(index: number): Buffer {
  return event(delta(`"content":"${WORDS[index % WORDS.length]}"`, 'null'), 'null')
}

/** Wraps bytes in one chunk of HTTP's chunked transfer encoding. */
function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** A stream's events: role, words, finish reason, usage. */
function* eventsOf(count: number): Generator<Buffer> {
  yield event(delta('"role":"assistant","content":"","refusal":null', 'null'), 'null')
  for (let index = 0; index < count - 3; index += 1) yield word(index)
  yield event(delta('', '"stop"'), 'null')
  yield event('[]', `{"prompt_tokens":25,"completion_tokens":${count},"total_tokens":${count + 25}}`)
}

const DONE = Buffer.from('data: [DONE]\n\n')

/** The response head of a stream. */
export const STREAM_HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
    'x-request-id: req_7c3f0a52\r\nopenai-processing-ms: 212\r\ntransfer-encoding: chunked\r\n\r\n',
)

/** A chat's event, in its own HTTP chunk, with the time at which it was sent, in milliseconds since the epoch. */
export function chatEvent(sentAt: number): Buffer {
  return chunk(event(delta(`"content":"sent at ${sentAt.toFixed(3)};"`, 'null'), 'null'))
}

/** Finds that time in a response. */
export const SENT_AT = /sent at (\d+\.\d+);/g

/** The end of a stream: `[DONE]` in its own chunk, and the last chunk. */
export const STREAM_END = Buffer.concat([chunk(DONE), Buffer.from('0\r\n\r\n')])

/** One event in its own chunk. */
export const EVENT = chunk(word(0))

/** Number of events in a piece. */
export const EVENTS_PER_PIECE = 1000

/** Many events for one write, each in its own chunk, as providers send them: about 300 KB. */
export const PIECE = Buffer.concat(Array.from({ length: EVENTS_PER_PIECE }, (_, index) => chunk(word(index))))

/** A stream of one piece, as sent. */
export const SHORT_STREAM = Buffer.concat([STREAM_HEAD, PIECE, STREAM_END])

/** The body of a whole stream, without HTTP framing: what a client must have received in the end. */
export const STREAM_BODY = Buffer.concat([...eventsOf(EVENTS_PER_STREAM), DONE])

/** The same as sent, including head and end: one write, about 1.2 MB. */
export const WHOLE_STREAM = Buffer.concat([STREAM_HEAD, ...[...eventsOf(EVENTS_PER_STREAM)].map(chunk), STREAM_END])

const JSON_BODY = JSON.stringify({
  id: 'chatcmpl-C8mT2nQ0kZr5LwYf4vRs8uHjEaGd',
  object: 'chat.completion',
  created: 1760000000,
  model: 'gpt-4o-2024-08-06',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'Water boils at 100 degrees Celsius.', refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: {
    prompt_tokens: 25,
    completion_tokens: 9,
    total_tokens: 34,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  },
  service_tier: 'default',
  system_fingerprint: 'fp_cbf1785567~',
})

/** A whole non-streaming answer, with a body of about 600 bytes. */
export const JSON_ANSWER = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_7c3f0a52\r\n' +
    `content-length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`,
)

/**
 * What the provider shall do. It is in the request's `model`, which every proxy forwards.
 *
 * - `burst`: a whole stream at once; `burst-short`: a stream of one piece
 * - `drip`: an event every 20 ms until told to end
 * - `silent`: one event, then nothing until told to end
 * - `chat`: an event every 20 ms with the time at which it was sent
 * - `bulk-N`: N pieces at once, then as `drip`
 * - `first`: one event at once, the end 1 ms later
 * - `json`: a small answer
 */
export type Model = 'burst' | 'burst-short' | 'drip' | 'silent' | 'chat' | `bulk-${number}` | 'first' | 'json'

/** The path of chat completions at the provider, and after the proxy's `/ai`. */
export const PATHS = { provider: '/v1/chat/completions', proxy: '/ai/v1/chat/completions' }

/** A request's JSON body, about 200 bytes. */
export function requestBody(model: Model): string {
  const stream = model !== 'json'
  const question = 'At which temperature does water boil at sea level? Answer in one short sentence, please.'
  return JSON.stringify({
    model,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
    max_tokens: 4096,
    messages: [{ role: 'user', content: question }],
  })
}

/** A whole request, head and body. */
export function request(path: string, model: Model): Buffer {
  const body = requestBody(model)
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n` +
      'authorization: Bearer sk-bench-00000000\r\ncontent-type: application/json\r\n' +
      // By this the contenders with tenants tell them apart.
      `x-tenant: ${model}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
