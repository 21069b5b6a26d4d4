import type { ExchangeRecord } from '../../../lib/index.js'
import { awsEvent } from '../../framing/bodies.js'
import { sseEvent } from './streams.js'

/** A provider's recorded stream, as it was sent. */
export interface Recording {
  readonly name: string
  readonly format: ExchangeRecord['format']
  readonly path: string
  readonly request: Readonly<Record<string, unknown>>
  readonly contentType: string
  readonly frames: readonly Buffer[]
  /** The stream without usage, as from a provider that reports none. */
  readonly framesWithoutUsage: readonly Buffer[]
  /** What the record must have according to the recording. */
  readonly told: Partial<ExchangeRecord>
  /** The recording's output tokens. */
  readonly streamedTokens: number
  /** What is known about that figure. */
  readonly note: string
}

type Line = Record<string, unknown>

/** Describes how each family of providers reports usage, independently of the package's code. */
interface Family extends Pick<Recording, 'format' | 'path' | 'request' | 'contentType'> {
  readonly files: RegExp
  /** The dotted path of each figure in a line; the last line that has it counts. */
  readonly figures: Readonly<Record<string, string>>
  readonly model?: string
  readonly id?: string
  readonly reason: string
  /** Fields to remove for a provider that reports no usage; a line that has nothing else is removed whole. */
  readonly usage: readonly string[]
  readonly ending?: Buffer
  frame(line: Line): Buffer
}

const sse = 'text/event-stream'
const named = (line: Line) => sseEvent(line, String(line.type))
const families: readonly Family[] = [
  {
    files: /^(?:openai-text|azure|deepseek|groq|mistral|perplexity|xai)/,
    format: 'openai-chat',
    path: '/v1/chat/completions',
    request: { model: 'm', messages: [], stream: true, stream_options: { include_usage: true } },
    contentType: sse,
    figures: {
      inputTokens: 'usage.prompt_tokens',
      outputTokens: 'usage.completion_tokens',
      totalTokens: 'usage.total_tokens',
      cachedInputTokens: 'usage.prompt_tokens_details.cached_tokens',
      reasoningTokens: 'usage.completion_tokens_details.reasoning_tokens',
    },
    model: 'model',
    id: 'id',
    reason: 'choices.0.finish_reason',
    usage: ['usage', 'x_groq'],
    ending: Buffer.from('data: [DONE]\n\n'),
    frame: (line) => sseEvent(line),
  },
  {
    files: /^openai-mcp/,
    format: 'openai-responses',
    path: '/v1/responses',
    request: { model: 'm', input: 'Hi', stream: true },
    contentType: sse,
    figures: {
      inputTokens: 'response.usage.input_tokens',
      outputTokens: 'response.usage.output_tokens',
      totalTokens: 'response.usage.total_tokens',
      cachedInputTokens: 'response.usage.input_tokens_details.cached_tokens',
      reasoningTokens: 'response.usage.output_tokens_details.reasoning_tokens',
    },
    model: 'response.model',
    id: 'response.id',
    reason: 'response.status',
    usage: ['response.usage'],
    frame: named,
  },
  {
    files: /^anthropic/,
    format: 'anthropic',
    path: '/v1/messages',
    request: { model: 'm', max_tokens: 9, messages: [], stream: true },
    contentType: sse,
    figures: {
      inputTokens: 'usage.input_tokens',
      outputTokens: 'usage.output_tokens',
      cachedInputTokens: 'usage.cache_read_input_tokens',
      cacheWriteTokens: 'usage.cache_creation_input_tokens',
    },
    model: 'message.model',
    id: 'message.id',
    reason: 'delta.stop_reason',
    usage: ['usage', 'message.usage'],
    frame: named,
  },
  {
    files: /^cohere/,
    format: 'cohere',
    path: '/v2/chat',
    request: { model: 'm', messages: [], stream: true },
    contentType: sse,
    figures: {
      inputTokens: 'delta.usage.tokens.input_tokens',
      outputTokens: 'delta.usage.tokens.output_tokens',
      cachedInputTokens: 'delta.usage.cached_tokens',
    },
    id: 'id',
    reason: 'delta.finish_reason',
    usage: ['delta.usage'],
    frame: named,
  },
  {
    files: /^google/,
    format: 'gemini',
    path: '/v1beta/models/m:streamGenerateContent?alt=sse',
    request: { contents: [] },
    contentType: sse,
    figures: {
      inputTokens: 'usageMetadata.promptTokenCount',
      outputTokens: 'usageMetadata.candidatesTokenCount',
      totalTokens: 'usageMetadata.totalTokenCount',
      reasoningTokens: 'usageMetadata.thoughtsTokenCount',
    },
    model: 'modelVersion',
    id: 'responseId',
    reason: 'candidates.0.finishReason',
    usage: ['usageMetadata'],
    frame: (line) => sseEvent(line),
  },
  {
    files: /^amazon-bedrock/,
    format: 'bedrock-converse',
    path: '/model/m/converse-stream',
    request: { messages: [] },
    contentType: 'application/vnd.amazon.eventstream',
    figures: {
      inputTokens: 'metadata.usage.inputTokens',
      outputTokens: 'metadata.usage.outputTokens',
      totalTokens: 'metadata.usage.totalTokens',
    },
    reason: 'messageStop.stopReason',
    usage: ['metadata.usage'],
    frame: (line) => {
      const [[type, payload]] = Object.entries(line) as [[string, unknown]]
      return awsEvent(JSON.stringify(payload), type)
    },
  },
]

/** Exceptions for single recordings. */
const notes: readonly (readonly [files: RegExp, note: string, streamedTokens?: number])[] = [
  [/^azure/, 'the count has some ten tokens that stand around the four of the text'],
  [/^deepseek/, 'reasoning and a call of a tool, both streamed'],
  [/^groq/, 'a call of a tool without arguments: `{}` is all that there is to see'],
  [/^openai-mcp/, 'a call of a tool, told as a whole and not in deltas'],
  [/^anthropic-json/, 'a call of a tool'],
  // These are excerpts: take the figures on each event, or one token per event.
  [/^perplexity/, 'an excerpt of 434 tokens', 13],
  [/^xai/, 'an excerpt of 291 tokens', 6],
]

export function isKnown(name: string): boolean {
  return families.some(({ files }) => files.test(name))
}

/** Reads a file of recorded events, one per line. */
export function recordingOf(name: string, text: string): Recording {
  const family = families.find(({ files }) => files.test(name))
  if (!family) throw new Error(`${name} is of no family that is known`)
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((each) => JSON.parse(each) as Line)
  const { figures, ending, format, path, request, contentType } = family
  const usage: Record<string, number> = {}
  for (const [figure, place] of Object.entries(figures)) {
    const counts = lines.map((line) => at(line, place)).filter((count) => typeof count === 'number')
    const count = counts.at(-1)
    if (count !== undefined) usage[figure] = count
  }
  const [, note = '', known] = notes.find(([files]) => files.test(name)) ?? []
  const hidden = /^(?:azure|openai-mcp)/.test(name) ? (usage.reasoningTokens ?? 0) : 0
  const end = ending ? [ending] : []
  return {
    name: name.replace('.chunks.txt', ''),
    format,
    path,
    request,
    contentType,
    frames: [...lines.map(family.frame), ...end],
    framesWithoutUsage: [...lines.flatMap((line) => withoutUsage(line, family.usage)).map(family.frame), ...end],
    told: {
      usage: { ...usage, estimated: false },
      responseModel: lastText(lines, family.model),
      responseId: lastText(lines, family.id),
      finishReason: lastText(lines, family.reason),
    },
    streamedTokens: known ?? (usage.outputTokens ?? 0) - hidden,
    note,
  }
}

function at(line: unknown, place: string): unknown {
  return place.split('.').reduce<unknown>((value, key) => (isLine(value) ? value[key] : undefined), line)
}

function isLine(value: unknown): value is Line {
  return typeof value === 'object' && value !== null
}

function lastText(lines: readonly Line[], place: string | undefined): string | undefined {
  const texts = lines.map((line) => place && at(line, place)).filter((text) => typeof text === 'string' && text !== '')
  return texts.at(-1) as string | undefined
}

function withoutUsage(line: Line, places: readonly string[]): Line[] {
  const told = places.filter((place) => isLine(at(line, place)))
  if (told.length === 0) return [line]
  const copy = structuredClone(line)
  for (const place of told) {
    const parent = place.split('.').slice(0, -1).join('.')
    delete (parent ? (at(copy, parent) as Line) : copy)[place.split('.').at(-1)!]
  }
  return [copy]
}
