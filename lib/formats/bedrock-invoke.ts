import { isObject, parsedJson } from '../json.js'
import { anthropic } from './anthropic.js'
import { aws, exceptionIn, failureIn } from './aws.js'
import { bedrockConverse, wrappedEvent } from './bedrock-converse.js'
import { allText, firstText, listAt, textAt, valueAt } from './fields.js'
import type { Format, JsonObject, Reading } from './format.js'
import { openaiChat } from './openai-chat.js'
import { readingOf } from './reading.js'
import { mergeUsage, usageReader } from './usage.js'

/** Bedrock adds what it counted to a stream's last message, whatever the model's own protocol is. */
const readMetrics = usageReader({
  inputTokens: ['inputTokenCount'],
  outputTokens: ['outputTokenCount'],
  cachedInputTokens: ['cacheReadInputTokenCount'],
  cacheWriteTokens: ['cacheWriteInputTokenCount'],
})

/** Llama and Titan: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html */
const readPlainUsage = usageReader({
  inputTokens: ['prompt_token_count', 'inputTextTokenCount'],
  outputTokens: ['generation_token_count', 'totalOutputTextTokenCount', 'results.0.tokenCount'],
})

const readHeaderUsage = usageReader({ inputTokens: ['input'], outputTokens: ['output'] })

function figureIn(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : undefined
}

/**
 * Bedrock's invoke: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
 *
 * It carries each model's own protocol; in a stream every message is base64 in a `chunk`. What an answer that is no
 * stream used stands in its body for some models, and for all in headers (`x-amzn-bedrock-output-token-count`).
 */
export const bedrockInvoke: Format = {
  ...aws,
  name: 'bedrock-invoke',
  // Nothing can be found in base64 without decoding it.
  usageMarker: '',

  readMessage(data, event) {
    const error = exceptionIn(data, event)
    if (error !== undefined) return { error }
    const message = typeof data.bytes === 'string' ? parsedJson(Buffer.from(data.bytes, 'base64').toString()) : data
    if (!isObject(message)) return {}
    const reading = protocolOf(message).readMessage(message, undefined)
    const usage = mergeUsage(readMetrics(message['amazon-bedrock-invocationMetrics']), reading.usage)
    return readingOf({ ...reading, usage })
  },

  readAnswer(answer) {
    const reading = protocolOf(answer).readAnswer(answer)
    return readingOf({ ...reading, error: failureIn(answer) ?? reading.error })
  },

  otherLimitPaths: [
    ['max_tokens'],
    ['max_completion_tokens'],
    ['max_tokens_to_sample'],
    ['max_gen_len'],
    ['inferenceConfig', 'maxTokens'],
    ['inferenceConfig', 'max_new_tokens'],
    ['textGenerationConfig', 'maxTokenCount'],
  ],

  /** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html: of an answer, not of a stream. */
  readHeaders(headers) {
    const figures = {
      input: figureIn(headers['x-amzn-bedrock-input-token-count']),
      output: figureIn(headers['x-amzn-bedrock-output-token-count']),
    }
    return readingOf({ usage: readHeaderUsage(figures) })
  },

  /** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html */
  maxOutputTokensPath(request) {
    // Nova's first examples called it `max_new_tokens`, and it takes either.
    const isNovaOfOld = valueAt(request, 'inferenceConfig', 'max_new_tokens') !== undefined
    if ('inferenceConfig' in request) return ['inferenceConfig', isNovaOfOld ? 'max_new_tokens' : 'maxTokens']
    if ('textGenerationConfig' in request) return ['textGenerationConfig', 'maxTokenCount']
    if ('max_gen_len' in request) return ['max_gen_len']
    return 'max_completion_tokens' in request ? ['max_completion_tokens'] : ['max_tokens']
  },
}

type Reader = Pick<Format, 'readMessage' | 'readAnswer'>

/** Llama, Titan, Mistral, Cohere and Claude's old completions: they differ in names only. */
const plain: Reader = { readMessage: readPlain, readAnswer: readPlain }

const ANTHROPIC = /^(?:message|message_\w+|content_block_\w+|ping|error)$/

function protocolOf(message: JsonObject): Reader {
  if (ANTHROPIC.test(textAt(message, 'type') ?? '')) return anthropic
  // OpenAI's models, DeepSeek, and newer ones of Mistral's.
  if (Array.isArray(message.choices)) return openaiChat
  return 'output' in message || wrappedEvent(message) !== undefined ? bedrockConverse : plain
}

function readPlain(message: JsonObject): Reading {
  const lists = ['outputs', 'results', 'generations'].flatMap((field) => listAt(message, field))
  const reason = (from: unknown) =>
    textAt(from, 'stop_reason') ?? textAt(from, 'completionReason') ?? textAt(from, 'finish_reason')
  const text = (from: unknown) =>
    textAt(from, 'text') ?? textAt(from, 'outputText') ?? textAt(from, 'generation') ?? textAt(from, 'completion')
  return {
    finishReason: reason(message) ?? firstText(lists, reason),
    usage: readPlainUsage(message),
    text: text(message) ?? allText(lists, text),
  }
}
