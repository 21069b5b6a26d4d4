import { jsonArray, sse } from '../framing/index.js'
import { EACH as LIST_ITEM } from '../json/replace-strings.js'
import { builtIn } from './built-in.js'
import { severalChoices } from './choices.js'
import { dataEvent } from './data-event.js'
import { errorIn, hasError } from './error-field.js'
import { allText, argumentsText, firstText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import type { Counting, ParsedMessage } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt } from './text-places.js'
import { usageReader } from './usage.js'

/**
 * https://ai.google.dev/api/generate-content#UsageMetadata: the total is the sum of prompt, candidates, thoughts and
 * the tools' part of the prompt. Google's output tokens are therefore those of the candidates only, and thoughts come
 * on top (https://ai.google.dev/gemini-api/docs/thinking#pricing). The tools' part of the prompt is billed as input.
 */
export const googleCounting: Counting = { cache: 'inside', reasoning: 'outside' }
const readUsage = usageReader(
  {
    inputTokens: ['promptTokenCount + toolUsePromptTokenCount', 'prompt_token_count + tool_use_prompt_token_count'],
    outputTokens: ['candidatesTokenCount', 'candidates_token_count'],
    totalTokens: ['totalTokenCount', 'total_token_count'],
    cachedInputTokens: ['cachedContentTokenCount', 'cached_content_token_count'],
    reasoningTokens: ['thoughtsTokenCount', 'thoughts_token_count'],
  },
  googleCounting,
)

/**
 * Every message has one of these fields. Proxies that print what Google's SDK for Python has read keep the names of its
 * protocol buffers.
 */
const FIELDS = [
  ...['candidates', 'promptFeedback', 'usageMetadata', 'modelVersion'],
  ...['prompt_feedback', 'usage_metadata', 'model_version'],
]

/** The verb after the colon of a path. A name of a model may have a colon, too (`llama3:8b`). */
const VERB = String.raw`(?:\w*(?:[gG]enerate|[eE]mbed)(?:Contents?|Text|Answer)|(?:count|compute)Tokens|predict\w*)`

const METHODS = [
  ...['generateContent', 'streamGenerateContent', 'countTokens', 'computeTokens', 'embedContent', 'batchEmbedContents'],
  ...['generateText', 'generateMessage', 'generateAnswer', 'embedText', 'batchEmbedText', 'countTextTokens'],
  ...['predict', 'rawPredict', 'streamRawPredict', 'predictLongRunning', 'fetchPredictOperation'],
]

/**
 * Google's Gemini API, also as Vertex AI offers it: https://ai.google.dev/api/generate-content
 *
 * A stream is a series of complete answers, each with the new text and with usage so far; no event is marked as the
 * last. The answer of `:countTokens` (`{"totalTokens":…}`) is not read as usage: nothing was generated.
 */
export const gemini = builtIn({
  name: 'gemini',
  provider: 'gcp.gemini',
  paths: [new RegExp(`/[^/]+:${VERB}$`), /\/v\d+(?:alpha|beta)\d*\/models(?:\/[^/]+)?$/],
  endpoints: [
    ...['models', 'tunedModels'].flatMap((collection) => METHODS.map((method) => `POST **/${collection}/*:${method}`)),
    // Tuned models. An endpoint of Vertex AI may run anything else as well, so only these four methods are open.
    ...METHODS.slice(0, 4).map((method) => `POST **/endpoints/*:${method}`),
    'GET **/models/*/operations/*',
  ],
  requestHeaders: ['x-goog-api-client', 'x-server-timeout', 'x-vertex-ai-*'],
  credentialHeaders: ['x-goog-api-key', 'x-goog-user-project'],
  keyHeaders: ['x-goog-api-key'],
  // It chooses how an answer is encoded.
  nonSecretNames: [/^alt$/],
  // This header limits the fields of an answer, as `fields` in a query does.
  withheldHeaders: ['x-goog-fieldmask'],
  responseHeaders: [/^x-goog-(?!iap-|authenticated-)/, /^x-gemini-/],
  // Of uploads: https://ai.google.dev/gemini-api/docs/files
  urlHeaders: ['x-goog-upload-url', 'x-goog-upload-control-url'],
  streamPaths: [/:stream\w+$/],
  modelPaths: [new RegExp(`/(?:models|tunedModels|endpoints)/([^/]+):(?:${VERB}|rawPredict|streamRawPredict)$`)],
  possibleModelPaths: [/\/(?:models|tunedModels|endpoints)\/([^/]+):[^/:]+\/?$/],
  // Each request of `batchEmbedContents` has one, too, and the one whose tokens `countTokens` counts. Google takes a single
  // item in the place of a list.
  modelCopyPaths: [
    ...[['model'], ['requests', LIST_ITEM, 'model'], ['requests', 'model']],
    ...[
      ['generateContentRequest', 'model'],
      ['generate_content_request', 'model'],
    ],
  ],
  silentPaths: [/:(?:\w*Tokens|\w*[eE]mbedContents?|predict\w*|fetchPredictOperation)$/],
  operation: () => 'generate_content',
  framings: [sse, jsonArray],
  // Without `alt=sse` the API streams an array.
  streamsSse: (url) => /[?&]alt=sse(?:&|$)/.test(url),

  /**
   * Google's form (https://google.aip.dev/193) spells `reason` in capitals; the metadata has our code in its usual
   * spelling. Within a stream, Google's SDK throws on an error with a `code` that is a status of 400 to 599.
   */
  errorBody({ code, message, status }) {
    const info = {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: code.toUpperCase(),
      domain: 'express-ai-proxy',
      metadata: { code },
    }
    return { error: { code: status, message, status: statusName(status), details: [info] } }
  },

  isErrorBody: hasError,
  errorEvent: dataEvent,
  progressIn(data) {
    if (!FIELDS.some((field) => field in data)) return undefined
    const candidates = listAt(data, 'candidates')
    const hasContent = candidates.some((candidate) => listAt(candidate, 'content', 'parts').some(isMedia))
    return { isContent: hasContent, choices: severalChoices(candidates, reasonOf) }
  },
  isTerminator: () => false,

  // Every event has this field. No key within it is in all of them: the first event often lacks the candidates' tokens.
  usageMarker: '"usageMetadata"',
  counting: googleCounting,
  modelFields: [['modelVersion'], ['model_version']],
  answerFields: [...FIELDS, 'responseId', 'response_id', 'error'],
  readMessage: read,
  readAnswer: read,

  textsIn(data) {
    const parts = ['candidates', EACH, 'content', 'parts', EACH] as const
    const texts = placesAt(data, 'text', [...parts, 'text'])
    return [
      ...texts.map(({ path, kind }) => ({
        path,
        kind: valueAt(data, ...path.slice(0, -1), 'thought') === true ? ('reasoning' as const) : kind,
      })),
      ...placesAt(
        data,
        'repeated',
        ['candidates', EACH, 'groundingMetadata', 'groundingSupports', EACH, 'segment', 'text'],
        ['candidates', EACH, 'logprobsResult', 'chosenCandidates', EACH, 'token'],
        ['candidates', EACH, 'logprobsResult', 'topCandidates', EACH, 'candidates', EACH, 'token'],
      ),
    ]
  },

  readsBothCases: true,

  /**
   * Google accepts each name in either spelling of its protocol buffers: https://protobuf.dev/programming-guides/json/
   */
  maxOutputTokensPath(request) {
    const config = 'generation_config' in request ? 'generation_config' : 'generationConfig'
    const isSnakeCase = valueAt(request, config, 'max_output_tokens') !== undefined
    return [config, isSnakeCase ? 'max_output_tokens' : 'maxOutputTokens']
  },
})

function read(data: JsonObject): ParsedMessage {
  const candidates = listAt(data, 'candidates')
  const parts = candidates.flatMap((candidate) => listAt(candidate, 'content', 'parts'))
  return parsedMessage({
    model: textAt(data, 'modelVersion') ?? textAt(data, 'model_version'),
    responseId: textAt(data, 'responseId') ?? textAt(data, 'response_id'),
    // A blocked prompt has no candidates: https://ai.google.dev/api/generate-content#BlockReason
    finishReason: firstText(candidates, reasonOf) ?? blockReasonOf(data),
    usage: readUsage(data.usageMetadata) ?? readUsage(data.usage_metadata),
    text: allText(parts, partText),
    callsTool: parts.some((part) => Boolean(callIn(part))),
    error: errorIn(data),
  })
}

const NO_REASON = 'FINISH_REASON_UNSPECIFIED'

function reasonOf(candidate: unknown): string | undefined {
  const reason = reasonAt(candidate, 'finishReason') ?? reasonAt(candidate, 'finish_reason')
  return reason === NO_REASON ? undefined : reason
}

function blockReasonOf(data: JsonObject): string | undefined {
  return reasonAt(data, 'promptFeedback', 'blockReason') ?? reasonAt(data, 'prompt_feedback', 'block_reason')
}

function callIn(part: unknown): unknown {
  return valueAt(part, 'functionCall') ?? valueAt(part, 'function_call')
}

/** Returns whether a part is a picture or sound. */
function isMedia(part: unknown): boolean {
  return Boolean(valueAt(part, 'inlineData') ?? valueAt(part, 'inline_data'))
}

/** https://ai.google.dev/api/caching#Part; the model did not write the results of tools and code. */
function partText(part: unknown): string | undefined {
  return (
    textAt(part, 'text') ??
    argumentsText(valueAt(callIn(part), 'args')) ??
    (allText(listAt(callIn(part), 'partialArgs'), partialText) ||
      (textAt(part, 'executableCode', 'code') ?? textAt(part, 'executable_code', 'code')))
  )
}

/** https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/PartialArg */
function partialText(argument: unknown): string | undefined {
  const value = valueAt(argument, 'stringValue') ?? valueAt(argument, 'numberValue') ?? valueAt(argument, 'boolValue')
  return value === undefined || typeof value === 'object' ? undefined : String(value)
}

/** https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const statusNames: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

function statusName(status: number): string {
  return statusNames[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL')
}
