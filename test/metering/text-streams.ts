import { type CompleteFormat, type FormatName, getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { type Framing, jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import type { TokenisedText } from './texts.js'

type Kind = TokenisedText['kind']

/** How a provider sends pieces of text. */
export interface Wire {
  readonly name: string
  readonly format: CompleteFormat
  readonly framing: Framing
  /** The kinds of text that it sends in pieces. */
  readonly kinds: readonly Kind[]
  /** The event with the piece of that index. */
  frame(piece: string, kind: Kind, at: number): Buffer
}

const ALL: readonly Kind[] = ['text', 'arguments', 'reasoning']
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** Providers pad their events, against those who listen to how long they are. */
const padding = (at: number, most: number) => LETTERS.slice(0, 4 + ((at * 37) % (most - 4)))

const data = (value: unknown) => Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
const named = (value: { type: string }) => Buffer.from(`event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`)
const line = (value: unknown) => Buffer.from(`${JSON.stringify(value)}\n`)
const aws = (event: string, value: unknown) => awsEventStream.write({ event, data: JSON.stringify(value) })

function wire(name: string, format: FormatName, framing: Framing, kinds: readonly Kind[], frame: Wire['frame']): Wire {
  return { name, format: getFormat(format), framing, kinds, frame }
}

const chatDelta = (piece: string, kind: Kind) =>
  kind === 'arguments'
    ? { tool_calls: [{ index: 0, function: { arguments: piece } }] }
    : kind === 'reasoning'
      ? { content: null, reasoning_content: piece }
      : { content: piece }

const chatChunk = (piece: string, kind: Kind) => ({
  id: 'chatcmpl-D8Z5oo6uDh67AD85p73ksdT1KxhE0',
  object: 'chat.completion.chunk',
  created: 1770933892,
  model: 'gpt-5-nano-2025-08-07',
  choices: [{ index: 0, delta: chatDelta(piece, kind), logprobs: null, finish_reason: null }],
  usage: null,
})

const RESPONSES_TYPES = {
  text: 'response.output_text.delta',
  arguments: 'response.function_call_arguments.delta',
  reasoning: 'response.reasoning_summary_text.delta',
}

function anthropicDelta(piece: string, kind: Kind) {
  const delta = {
    text: { type: 'text_delta', text: piece },
    arguments: { type: 'input_json_delta', partial_json: piece },
    reasoning: { type: 'thinking_delta', thinking: piece },
  }[kind]
  return { type: 'content_block_delta', index: 0, delta }
}

const geminiAnswer = (piece: string, kind: Kind, at: number) => ({
  candidates: [
    { content: { parts: [{ text: piece, ...(kind === 'reasoning' && { thought: true }) }], role: 'model' } },
  ],
  usageMetadata: { promptTokenCount: 11, totalTokenCount: 11 + at },
  modelVersion: 'gemini-3-pro',
  responseId: 'q0S1abc',
})

const ollamaTime = (at: number) => new Date(1.77e12 + at * 37).toISOString().replace(/0*Z$/, 'Z')

export const wires: readonly Wire[] = [
  wire('OpenAI chat', 'openai-chat', sse, ALL, (piece, kind, at) =>
    data({ ...chatChunk(piece, kind), obfuscation: padding(at, 16) }),
  ),
  wire('OpenAI chat, as a server in Python writes it', 'openai-chat', sse, ALL, (piece, kind) => {
    const json = JSON.stringify(chatChunk(piece, kind))
    const ascii = json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    return Buffer.from(`data: ${ascii}\r\n\r\n`)
  }),
  wire('OpenAI completions', 'openai-completions', sse, ['text'], (text) =>
    data({ id: 'cmpl-1', object: 'text_completion', created: 1, model: 'm', choices: [{ text, index: 0 }] }),
  ),
  wire('OpenAI responses', 'openai-responses', sse, ALL, (delta, kind, at) =>
    named({
      type: RESPONSES_TYPES[kind],
      ...{ sequence_number: at + 4, item_id: 'msg_68cf1', output_index: 0, content_index: 0, delta },
      ...{ logprobs: [], obfuscation: padding(at, 16) },
    }),
  ),
  wire('Anthropic', 'anthropic', sse, ALL, (piece, kind) => named(anthropicDelta(piece, kind))),
  wire('Gemini, events', 'gemini', sse, ['text', 'reasoning'], (piece, kind, at) =>
    data(geminiAnswer(piece, kind, at)),
  ),
  wire('Gemini, an array', 'gemini', jsonArray, ['text', 'reasoning'], (piece, kind, at) =>
    Buffer.from(`${at === 0 ? '[' : ',\r\n'}${JSON.stringify(geminiAnswer(piece, kind, at), null, 2)}`),
  ),
  wire('Bedrock converse', 'bedrock-converse', awsEventStream, ALL, (piece, kind, at) => {
    const delta = {
      text: { text: piece },
      arguments: { toolUse: { input: piece } },
      reasoning: { reasoningContent: { text: piece } },
    }[kind]
    return aws('contentBlockDelta', { contentBlockIndex: 0, delta, p: padding(at, 62) })
  }),
  wire('Bedrock invoke', 'bedrock-invoke', awsEventStream, ALL, (piece, kind, at) => {
    const bytes = Buffer.from(JSON.stringify(anthropicDelta(piece, kind))).toString('base64')
    return aws('chunk', { bytes, p: padding(at, 62) })
  }),
  wire('Ollama chat', 'ollama-chat', ndjson, ['text', 'reasoning'], (piece, kind, at) => {
    const said = kind === 'reasoning' ? { content: '', thinking: piece } : { content: piece }
    return line({ model: 'llama3', created_at: ollamaTime(at), message: { role: 'assistant', ...said }, done: false })
  }),
  wire('Ollama generate', 'ollama-generate', ndjson, ['text'], (response, _, at) =>
    line({ model: 'llama3', created_at: ollamaTime(at), response, done: false }),
  ),
  wire('Cohere', 'cohere', sse, ALL, (piece, kind) => {
    const message = {
      text: { content: { text: piece } },
      arguments: { tool_calls: { function: { arguments: piece } } },
      reasoning: { content: { thinking: piece } },
    }[kind]
    return named({
      type: kind === 'arguments' ? 'tool-call-delta' : 'content-delta',
      ...{ index: 0, delta: { message } },
    })
  }),
]

/** A text in pieces, with how many tokens have come by the end of each. */
export interface Piece {
  readonly text: string
  readonly tokens: number
}

/** In pieces of so many tokens. */
export function piecesOfTokens({ text, tokens }: TokenisedText, count: number): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  let to = 0
  for (let at = 1; at <= tokens.length; at++) {
    to += Number.parseInt(tokens[at - 1]!, 36)
    const isDue = at % count === 0 || at === tokens.length
    if (!isDue || to === from) continue
    pieces.push({ text: text.slice(from, to), tokens: at })
    from = to
  }
  return pieces
}

/** In pieces of so many characters. */
export function piecesOfCharacters({ text, tokens }: TokenisedText, count: number): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let length = 0
  for (let from = 0; from < text.length; from += count) {
    const to = Math.min(from + count, text.length)
    while (length < to) length += Number.parseInt(tokens[at++]!, 36)
    pieces.push({ text: text.slice(from, to), tokens: at })
  }
  return pieces
}
