import { type BuiltInFormat, builtIn } from './built-in.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import { tokensOfLogprobs } from './log-probabilities.js'
import type { Progress } from './message.js'
import { openai } from './openai.js'
import {
  choicesFields,
  choicesProgress,
  generatingAt,
  openAiCounting,
  readChoices,
  streamUsageRequest,
  takesStreamUsageRequest,
  tokensMarker,
} from './openai-choices.js'
import { EACH, placesAt, repeated } from './text-places.js'

/**
 * OpenAI's chat completions, which most other providers support, too.
 *
 * https://platform.openai.com/docs/api-reference/chat, https://platform.openai.com/docs/api-reference/chat-streaming
 */
export const openaiChat = builtIn({
  ...openai,
  name: 'openai-chat',
  provider: 'openai',
  paths: [/\/(?:chat|fim|agents)\/completions$/],
  // Azure and Groq have it before the version, Gemini after it.
  prefixes: ['openai'],
  innerPrefixes: ['openai'],
  endpoints: [
    ...generatingAt('chat/completions'),
    'POST **/models/chat/completions',
    'POST **/deployments/*/extensions/chat/completions',
    'POST **/endpoints/openapi/chat/completions',
    'POST **/serving-endpoints/chat/completions',
    'POST **/serving-endpoints/*/invocations',
    'POST **/fim/completions',
    'POST **/agents/completions',
  ],
  requestHeaders: [
    'openai-beta',
    // Azure's content filter for the request:
    // https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/content-filters
    'x-policy-id',
    'x-ms-oai-*',
    'x-ms-client-request-id',
    'extra-parameters',
    'originator',
    'x-codex-*',
    'x-openai-subagent',
  ],
  // Azure's clients send it.
  keyHeaders: ['api-key'],
  // Browsers send the key of the realtime API as a subprotocol.
  credentialHeaders: [
    'api-key',
    'openai-organization',
    'openai-project',
    'chatgpt-account-id',
    'sec-websocket-protocol',
  ],
  responseHeaders: [/^(?:openai|azure-openai|(?:ms-)?azureml)-/, /^x-codex-/, /^x-ms-(?!client-principal|token-)/],
  // Azure's deployments, and Databricks' endpoints.
  modelPaths: [/\/(?:deployments|engines)\/([^/]+)\/./, /\/serving-endpoints\/([^/]+)\/invocations$/],
  // This format is also used for paths that no other format claims. A request without a model there is an upload, a
  // batch or a thread.
  operation: (path, model) => (model === undefined && !path.endsWith('/chat/completions') ? undefined : 'chat'),
  usageMarker: tokensMarker,
  counting: openAiCounting,
  modelFields: [['model']],
  answerFields: choicesFields,
  usageRequest: streamUsageRequest,
  takesUsageRequest: takesStreamUsageRequest,

  progressIn: chatProgress,

  readMessage(data) {
    return readChoices(
      data,
      (choice) => generatedText(deltaOf(choice)),
      (choice) => callsTool(deltaOf(choice)),
    )
  },

  readAnswer(answer) {
    const { isUsageOnly, ...reading } = readChoices(answer, (choice) => generatedText(valueAt(choice, 'message')))
    return reading
  },

  /**
   * OpenAI's reasoning models accept only `max_completion_tokens`. Many compatible servers know only the deprecated
   * `max_tokens`: some reject the new field (Mistral), some ignore it (Ollama), and an ignored limit is no limit.
   * OpenAI, Azure, and OpenAI's reasoning models behind a gateway therefore get the new field, all others the old one.
   *
   * https://platform.openai.com/docs/api-reference/chat/create#chat_create-max_completion_tokens
   */
  maxOutputTokensPath(request, url = '') {
    const isOpenAi = OPENAI.test(url) || OPENAI_REASONING.test(textAt(request, 'model') ?? '')
    return [isOpenAi ? 'max_completion_tokens' : 'max_tokens']
  },

  textsIn(data) {
    return [
      ...textsOf(data, 'delta'),
      ...(listAt(data, 'choices').some((choice) => valueAt(choice, 'delta') !== undefined)
        ? // Some servers (Perplexity) send the whole message so far with each delta.
          repeated(textsOf(data, 'message'))
        : textsOf(data, 'message')),
      ...textsOfMessages(data),
      ...tokensOfLogprobs(data, ['choices', EACH, 'logprobs', 'content'], ['choices', EACH, 'logprobs', 'refusal']),
    ]
  },
})

/** Finds the texts of Azure's legacy answers from the app's own data, whose choices list several messages each. */
function textsOfMessages(data: JsonObject): TextPlace[] {
  const messages = ['choices', EACH, 'messages', EACH] as const
  const texts = placesAt(data, 'text', [...messages, 'delta', 'content'], [...messages, 'content'])
  return texts.filter(({ path }) => valueAt(data, ...path.slice(0, -1), 'role') !== 'tool')
}

/** Finds the texts of choices, in a delta or in a message. */
function textsOf(data: JsonObject, field: 'delta' | 'message'): TextPlace[] {
  const message = ['choices', EACH, field] as const
  const content = [...message, 'content'] as const
  const reasoning = placesAt(data, 'reasoning', [...message, 'reasoning_content'], [...message, 'reasoning_text'])
  const again = [
    ...placesAt(data, 'reasoning', [...message, 'reasoning']),
    ...placesAt(data, 'reasoning', [...message, 'reasoning_details', EACH, 'text']),
    ...placesAt(data, 'reasoning', [...message, 'reasoning_details', EACH, 'summary']),
  ]
  // Servers that send both fields repeat the same text in them (vLLM, OpenRouter).
  const [first] = again
  const others = first?.path.at(-1) === 'reasoning' ? [first, ...repeated(again.slice(1))] : again
  return [
    ...reasoning,
    ...(reasoning.length > 0 ? repeated(again) : others),
    ...placesAt(
      data,
      'reasoning',
      [...content, EACH, 'thinking', EACH, 'text'],
      [...content, EACH, 'summary', EACH, 'text'],
    ),
    ...placesAt(
      data,
      'text',
      content,
      [...content, EACH, 'text'],
      [...message, 'refusal'],
      [...message, 'audio', 'transcript'],
    ),
  ]
}

// `https://eu.api.openai.com/v1/…`, `https://mine.openai.azure.com/…`, `https://mine.services.ai.azure.com/openai/…`.
const OPENAI =
  /^https?:\/\/(?:[\w.-]+\.)?(?:api\.openai\.com|openai\.azure\.(?:com|us|cn))[:/]|\.azure\.(?:com|us|cn)(?::\d+)?\/openai\//

/**
 * Chat completions for paths that no format claims: the messages show whether another protocol is used there.
 * Snowflake's `inference:complete` also has `choices`, but without an index and a finish reason.
 */
export const guessedChat: BuiltInFormat = {
  ...openaiChat,
  isGuess: true,
  // Other endpoints that fall back to this format (`/audio/speech`) may reject such a field.
  usageRequest: undefined,
  progressIn(data) {
    const choices = listAt(data, 'choices')
    const isOther =
      choices.length > 0 &&
      !choices.some((choice) => CHOICE_FIELDS.some((field) => valueAt(choice, field) !== undefined))
    return isOther ? undefined : chatProgress(data)
  },
}

const CHOICE_FIELDS = ['index', 'finish_reason']

// `o3-mini`, `gpt-5-nano`, `openai/gpt-5` (OpenRouter), `ft:o4-mini-2025-04-16:org::id`, `codex-mini-latest`.
const OPENAI_REASONING = /(?:^|[/:])(?:o\d|gpt-(?:[5-9]|\d\d)|codex)/

/**
 * Returns what a choice of a stream adds. Some servers have it in `message`, as in an answer that is not a stream; others
 * (Perplexity) have the whole message so far there, next to the delta.
 */
function deltaOf(choice: unknown): unknown {
  return valueAt(choice, 'delta') ?? valueAt(choice, 'message')
}

function chatProgress(data: JsonObject): Progress | undefined {
  const progress = choicesProgress(data)
  const isContent = progress !== undefined && listAt(data, 'choices').some((choice) => hasWordless(deltaOf(choice)))
  return isContent ? { ...progress, isContent: true } : progress
}

/**
 * Returns whether a message or a delta has something that the model made, but did not write: sound, pictures
 * (https://openrouter.ai/docs/features/multimodal/image-generation), or encrypted reasoning.
 */
function hasWordless(message: unknown): boolean {
  const isSealed = (detail: unknown) => Boolean(textAt(detail, 'data'))
  const hasMedia = Boolean(textAt(message, 'audio', 'data')) || listAt(message, 'images').length > 0
  return hasMedia || listAt(message, 'reasoning_details').some(isSealed)
}

/** Returns what the model wrote in a message or in a delta. */
function generatedText(message: unknown): string {
  return [
    // Servers that send both fields repeat the same text in them (vLLM).
    textAt(message, 'reasoning_content') ?? textAt(message, 'reasoning') ?? reasoningDetails(message),
    // GitHub's Copilot has a name of its own.
    textAt(message, 'reasoning_text'),
    contentText(valueAt(message, 'content')),
    textAt(message, 'refusal'),
    textAt(message, 'audio', 'transcript'),
    textAt(message, 'function_call', 'arguments'),
    allText(listAt(message, 'tool_calls'), toolCallText),
  ].join('')
}

function callsTool(message: unknown): boolean {
  return listAt(message, 'tool_calls').length > 0 || textAt(message, 'function_call', 'name') !== undefined
}

/** https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-array-structure */
function reasoningDetails(message: unknown): string {
  return allText(listAt(message, 'reasoning_details'), (part) => textAt(part, 'text') ?? textAt(part, 'summary'))
}

/**
 * Returns the text of a content: a string, or a list of parts. A part with reasoning holds a list of parts itself
 * (https://docs.mistral.ai/capabilities/reasoning, and `summary` at Databricks:
 * https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models).
 */
function contentText(content: unknown): string | undefined {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? allText(content, partText) : undefined
}

function partText(part: unknown): string | undefined {
  const inner = [...listAt(part, 'thinking'), ...listAt(part, 'summary')]
  return textAt(part, 'text') ?? allText(inner, (each) => textAt(each, 'text'))
}

function toolCallText(call: unknown): string | undefined {
  return argumentsText(valueAt(call, 'function', 'arguments')) ?? textAt(call, 'custom', 'input')
}
