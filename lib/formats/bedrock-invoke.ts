import { isObject } from '../json/json.js'
import { tryParseWithinBounds } from '../json/parse-within-bounds.js'
import { anthropic, MESSAGE } from './anthropic.js'
import { aws, exceptionIn, failureIn } from './aws.js'
import { bedrockConverse, wrappedEvent } from './bedrock-converse.js'
import { builtIn } from './built-in.js'
import { cohereRepetitions } from './cohere.js'
import type { CompleteFormat } from './complete.js'
import { anyErrorIn } from './failures.js'
import { allText, firstText, listAt, reasonAt, textAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import type { Counting, ParsedMessage } from './message.js'
import { openaiChat } from './openai-chat.js'
import type { FieldPath } from './output-limits.js'
import { parsedMessage } from './parsed-message.js'
import { spokenErrorIn } from './said-instead.js'
import { EACH, placesAt } from './text-places.js'
import { mergeUsage, usageReader } from './usage.js'

/**
 * Nova and Claude do not count cached input in their input. OpenAI's models, and others that speak its protocol, do;
 * they always report a total, and the total then equals input plus output.
 */
const counting: Counting = { cache: 'by total', reasoning: 'by total' }

/** Bedrock adds its own counts to the last message of a stream, whatever the model's protocol is. */
const readMetrics = usageReader(
  {
    inputTokens: ['inputTokenCount'],
    outputTokens: ['outputTokenCount'],
    cachedInputTokens: ['cacheReadInputTokenCount'],
    cacheWriteTokens: ['cacheWriteInputTokenCount'],
  },
  counting,
)

/** Llama and Titan: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html */
const readPlainUsage = usageReader(
  {
    inputTokens: ['prompt_token_count', 'inputTextTokenCount'],
    outputTokens: ['generation_token_count', 'totalOutputTextTokenCount', 'results.0.tokenCount'],
  },
  counting,
)

/** Top-level fields that `readPlain` reads. */
const PLAIN_FIELDS = [
  'prompt_token_count',
  'generation_token_count',
  'inputTextTokenCount',
  'totalOutputTextTokenCount',
  'results',
  'outputs',
  'generations',
  'stop_reason',
  'completionReason',
  'finish_reason',
  'finishReason',
  'text',
  'outputText',
  'generation',
  'completion',
]

const readHeaderUsage = usageReader({ inputTokens: ['input'], outputTokens: ['output'] }, counting)

function figureIn(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : undefined
}

/**
 * Bedrock's invoke:
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
 *
 * It carries each model's own protocol; in a stream, every message is base64 in a `chunk`. For an answer that is not a
 * stream, some models report usage in the body, and Bedrock reports it for all of them in headers
 * (`x-amzn-bedrock-output-token-count`).
 */
export const bedrockInvoke = builtIn({
  ...aws,
  name: 'bedrock-invoke',
  paths: [/\/model\/[^/]+\/invoke(?:-with-response-stream)?$/],
  endpoints: ['POST **/model/*/invoke', 'POST **/model/*/invoke-with-response-stream'],
  modelPaths: [/\/model\/([^/]+)\/invoke[\w-]*$/],
  operation: (_, model) => (/\bembed/.test(model ?? '') ? 'embeddings' : 'chat'),
  // Base64 cannot be searched without decoding it.
  usageMarker: '',
  counting,

  // Only of answers that are not streamed: what a stream's events carry is base64.
  modelFields: [['model']],
  answerFields: [
    ...[anthropic, openaiChat, bedrockConverse].flatMap((format) => format.answerFields ?? []),
    ...PLAIN_FIELDS,
  ],

  progressIn(data) {
    const message = messageIn(data)
    if (!message) return undefined
    return { ...protocolOf(message).progressIn(message, undefined), ...(METRICS in message && { isEnd: true }) }
  },

  readMessage(data, event) {
    const error = exceptionIn(data, event)
    if (error !== undefined) return { error }
    const message = messageIn(data)
    if (!message) return {}
    const reading = protocolOf(message).readMessage(message, undefined)
    const usage = mergeUsage(readMetrics(message[METRICS]), reading.usage)
    // Nobody else looks for the other forms of errors in base64.
    return parsedMessage({ ...reading, usage, error: reading.error ?? anyErrorIn(message) ?? spokenErrorIn(message) })
  },

  textsIn: (message) => protocolOf(message).textsIn(message, undefined),

  wrapping: {
    unwrap: messageIn,
    wrap(data, message) {
      if (typeof data.bytes !== 'string') return message
      return { ...data, bytes: Buffer.from(JSON.stringify(message)).toString('base64') }
    },
  },

  readAnswer(answer) {
    const reading = protocolOf(answer).readAnswer(answer)
    // TwelveLabs' models have their text in `message`.
    const error = reading.finishReason ? undefined : failureIn(answer)
    return parsedMessage({ ...reading, error: error ?? reading.error })
  },

  /**
   * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html: answers have these headers,
   * streams do not.
   */
  readHeaders(headers) {
    const figures = {
      input: figureIn(headers['x-amzn-bedrock-input-token-count']),
      output: figureIn(headers['x-amzn-bedrock-output-token-count']),
    }
    return parsedMessage({ usage: readHeaderUsage(figures) })
  },

  /**
   * Each model has its own field, which follows from the model's id. An ARN (of a profile or an imported model) may not
   * show the model; the fields of the request then decide.
   *
   * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
   */
  maxOutputTokensPath(request, url = '') {
    const id = /\/model\/([^/]+)/.exec(url)?.[1]?.replaceAll('%2F', '/') ?? ''
    const known = FIELD_OF_MODEL.find(([model]) => model.test(id))
    if (known) return known[1]
    if ('inferenceConfig' in request) return ['inferenceConfig', 'maxTokens']
    if ('textGenerationConfig' in request) return ['textGenerationConfig', 'maxTokenCount']
    if ('max_gen_len' in request) return ['max_gen_len']
    return 'max_completion_tokens' in request ? ['max_completion_tokens'] : ['max_tokens']
  },
})

/** Fields by model id. An id may have a region in front (`us.amazon.nova-pro-v1:0`) or be part of an ARN. */
const FIELD_OF_MODEL: readonly (readonly [model: RegExp, path: FieldPath])[] = [
  [/\bamazon\.nova/, ['inferenceConfig', 'maxTokens']],
  [/\bamazon\.titan/, ['textGenerationConfig', 'maxTokenCount']],
  [/\bmeta\.llama/, ['max_gen_len']],
  [/\bopenai\./, ['max_completion_tokens']],
  [/\bai21\.j2/, ['maxTokens']],
  [/\b(?:anthropic|mistral|cohere|ai21|deepseek|writer|qwen)\./, ['max_tokens']],
]

/** The last message of a stream has this field, whatever the model's protocol is. */
const METRICS = 'amazon-bedrock-invocationMetrics'

let lastData: JsonObject | undefined
let lastMessage: JsonObject | undefined

/**
 * Returns the message that a `chunk` carries. Callers ask twice in a row for each message, so the last one is kept and
 * decoded once.
 *
 * @throws UnwieldyJsonError
 */
function messageIn(data: JsonObject): JsonObject | undefined {
  if (data === lastData) return lastMessage
  const { bytes } = data
  const message = typeof bytes === 'string' ? tryParseWithinBounds(Buffer.from(bytes, 'base64').toString()) : data
  lastData = data
  lastMessage = isObject(message) ? message : undefined
  return lastMessage
}

type Reader = Pick<CompleteFormat, 'progressIn' | 'readMessage' | 'readAnswer' | 'textsIn'>

/** Llama, Titan, Mistral, Cohere and Claude's old completions: only their field names differ. */
const plain: Reader = { progressIn: () => ({}), readMessage: readPlain, readAnswer: readPlain, textsIn: plainTexts }

/** OpenAI's models. Those of Mistral and DeepSeek have the same choices with other field names. */
const chat: Reader = {
  progressIn: (message, event) => openaiChat.progressIn(asChat(message), event),
  readMessage: (message, event) => openaiChat.readMessage(asChat(message), event),
  readAnswer: (answer) => openaiChat.readAnswer(asChat(answer)),
  textsIn: (message) => [
    ...openaiChat.textsIn(message, undefined),
    // DeepSeek-R1 puts its text here.
    ...placesAt(message, 'text', ['choices', EACH, 'text']),
  ],
}

/**
 * Converts choices to OpenAI's fields. A choice may have its finish reason in `stop_reason`, its text in `text`
 * (DeepSeek-R1), and whole messages in a stream (Mistral):
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-deepseek.html,
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-mistral-chat-completion.html
 */
function asChat(message: JsonObject): JsonObject {
  const choices = listAt(message, 'choices').map((choice) => {
    if (!isObject(choice)) return choice
    const content = choice.delta ?? choice.message ?? { content: choice.text }
    return { ...choice, delta: content, message: content, finish_reason: choice.finish_reason ?? choice.stop_reason }
  })
  return { ...message, choices }
}

function protocolOf(message: JsonObject): Reader {
  if (MESSAGE.test(textAt(message, 'type') ?? '')) return anthropic
  if (Array.isArray(message.choices)) return chat
  return 'output' in message || wrappedEvent(message) !== undefined ? bedrockConverse : plain
}

const LISTS = ['outputs', 'results', 'generations']
const TEXTS = ['text', 'outputText', 'generation', 'completion']

function plainTexts(message: JsonObject): readonly TextPlace[] {
  const within = LISTS.flatMap((list) => TEXTS.map((field) => [list, EACH, field] as const))
  return [
    ...placesAt(message, 'text', ...TEXTS.map((field) => [field]), ...within, ['completions', EACH, 'data', 'text']),
    ...placesAt(message, 'repeated', ['completions', EACH, 'data', 'tokens', EACH, 'generatedToken', 'token']),
    ...cohereRepetitions(message),
  ]
}

function readPlain(message: JsonObject): ParsedMessage {
  const lists = LISTS.flatMap((field) => listAt(message, field))
  const reason = (from: unknown) =>
    reasonAt(from, 'stop_reason') ??
    reasonAt(from, 'completionReason') ??
    reasonAt(from, 'finish_reason') ??
    reasonAt(from, 'finishReason')
  const text = (from: unknown) => firstText(TEXTS, (field) => textAt(from, field as string))
  // https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-pegasus.html
  const described = message.finishReason === undefined ? undefined : textAt(message, 'message')
  return {
    finishReason: reason(message) ?? firstText(lists, reason),
    usage: readPlainUsage(message),
    text: text(message) ?? described ?? allText(lists, text),
  }
}
