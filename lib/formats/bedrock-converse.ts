import { aws, exceptionIn, failureIn } from './aws.js'
import { builtIn } from './built-in.js'
import { allText, argumentsText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import type { Counting } from './message.js'
import { outputLimitPathsIn } from './output-limits.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt, placesBelow } from './text-places.js'
import { usageReader } from './usage.js'

/**
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html; `inputTokens` excludes what was
 * read from a cache or written to one (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html). In
 * its answers to `invoke`, Nova's names of cached tokens end in `Count`.
 */
const counting: Counting = { cache: 'outside', reasoning: 'inside' }
const readUsage = usageReader(
  {
    inputTokens: ['inputTokens'],
    outputTokens: ['outputTokens'],
    totalTokens: ['totalTokens'],
    cachedInputTokens: ['cacheReadInputTokens', 'cacheReadInputTokenCount'],
    cacheWriteTokens: ['cacheWriteInputTokens', 'cacheWriteInputTokenCount'],
  },
  counting,
)

/** A guardrail checks a text without calling a model. */
const GUARDRAIL = /\/guardrail\/[^/]+\/version\/[^/]+\/apply$/

const EVENT = /^(?:message(?:Start|Stop)|contentBlock(?:Start|Delta|Stop)|metadata|\w+Exception)$/

/**
 * Bedrock's converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
 *
 * The header of a frame names the event. Models that speak the same protocol through `invoke` (Nova), and proxies that
 * do not know these headers, wrap the event instead: `{"contentBlockDelta":{…}}`.
 */
export const bedrockConverse = builtIn({
  ...aws,
  name: 'bedrock-converse',
  paths: [/\/model\/[^/]+\/(?:converse(?:-stream)?|count-tokens)$/],
  endpoints: [
    'POST **/model/*/converse',
    'POST **/model/*/converse-stream',
    'POST **/model/*/count-tokens',
    'POST **/guardrail/*/version/*/apply',
  ],
  modelPaths: [/\/model\/([^/]+)\/(?:converse|count-tokens)[\w-]*$/],
  silentPaths: [/\/count-tokens$/, GUARDRAIL],
  modelFreeRequests: [{ method: 'POST', path: GUARDRAIL }],
  usageMarker: '"outputTokens"',
  counting,
  answerFields: ['output', 'stopReason', 'usage', 'trace', 'message', 'Message'],

  progressIn(data, event) {
    const wrapped = wrappedEvent(data)
    if (!EVENT.test(event ?? '') && wrapped === undefined) return undefined
    const delta = valueAt(wrapped === undefined ? data : data[wrapped], 'delta')
    return { isContent: isWordless(delta) }
  },

  readMessage(data, event) {
    const wrapped = wrappedEvent(data)
    const payload = wrapped === undefined ? data : data[wrapped]
    return parsedMessage({
      model: textAt(payload, 'trace', 'promptRouter', 'invokedModelId'),
      finishReason: reasonAt(payload, 'stopReason'),
      usage: readUsage(valueAt(payload, 'usage')),
      text: blockText(valueAt(payload, 'delta')),
      callsTool: valueAt(payload, 'start', 'toolUse') !== undefined,
      error: exceptionIn(payload, wrapped ?? event),
      isLast: (wrapped ?? event) === 'metadata',
    })
  },

  textsIn(data) {
    const wrapped = wrappedEvent(data)
    if (wrapped !== undefined) return placesBelow([wrapped], textsOfEvent(data[wrapped]))
    return [...textsOfEvent(data), ...placesBelow(['output', 'message', 'content'], textsOfBlocks(data))]
  },

  readAnswer(answer) {
    return parsedMessage({
      model: textAt(answer, 'trace', 'promptRouter', 'invokedModelId'),
      finishReason: reasonAt(answer, 'stopReason'),
      usage: readUsage(answer.usage),
      text: allText(listAt(answer, 'output', 'message', 'content'), blockText),
      error: failureIn(answer),
    })
  },

  maxOutputTokensPath: () => ['inferenceConfig', 'maxTokens'],

  /** Bedrock passes these fields to the model unchanged; which of two limits applies is up to the model. */
  otherLimitPaths: outputLimitPathsIn('additionalModelRequestFields'),
})

function textsOfEvent(payload: unknown): TextPlace[] {
  return [
    ...placesAt(payload, 'reasoning', ['delta', 'reasoningContent', 'text']),
    ...placesAt(payload, 'text', ['delta', 'text']),
  ]
}

function textsOfBlocks(answer: JsonObject): TextPlace[] {
  const blocks = listAt(answer, 'output', 'message', 'content')
  return [
    ...placesAt(blocks, 'reasoning', [EACH, 'reasoningContent', 'reasoningText', 'text']),
    ...placesAt(blocks, 'text', [EACH, 'text'], [EACH, 'citationsContent', 'content', EACH, 'text']),
  ]
}

/** Returns the name of the event that the data wraps, if it wraps one. */
export function wrappedEvent(data: JsonObject): string | undefined {
  return Object.keys(data).find((key) => EVENT.test(key) && typeof data[key] === 'object' && data[key] !== null)
}

/** Returns whether a delta has something that the model made, but did not write: a picture, or reasoning that is not shown. */
function isWordless(delta: unknown): boolean {
  const reasoning = valueAt(delta, 'reasoningContent')
  const isSealed = Boolean(textAt(reasoning, 'signature') ?? textAt(reasoning, 'redactedContent'))
  return isSealed || valueAt(delta, 'image') !== undefined
}

/** Returns the text of a content block or of a delta of one. In a whole block, reasoning is one level deeper. */
function blockText(block: unknown): string {
  return [
    textAt(block, 'text'),
    allText(listAt(block, 'citationsContent', 'content'), (part) => textAt(part, 'text')),
    textAt(block, 'reasoningContent', 'text') ?? textAt(block, 'reasoningContent', 'reasoningText', 'text'),
    argumentsText(valueAt(block, 'toolUse', 'input')),
  ].join('')
}
