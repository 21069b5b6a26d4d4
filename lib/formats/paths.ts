import { memoize } from '../util/memoize.js'
import { anthropic } from './anthropic.js'
import { bedrockConverse } from './bedrock-converse.js'
import { bedrockInvoke } from './bedrock-invoke.js'
import { cohere } from './cohere.js'
import type { Format } from './format.js'
import { gemini } from './gemini.js'
import { geminiInteractions } from './gemini-interactions.js'
import { ollamaChat, ollamaGenerate } from './ollama.js'
import { guessedChat, openaiChat } from './openai-chat.js'
import { openaiCompletions } from './openai-completions.js'
import { openaiEmbeddings } from './openai-embeddings.js'
import { openaiMedia } from './openai-media.js'
import { openaiResponses } from './openai-responses.js'
import { tgi } from './tgi.js'

/** What a Google API does, behind the colon of its path: a model may have a colon in its name, too (`llama3:8b`). */
const GOOGLE_VERB = String.raw`(?:\w*(?:[gG]enerate|[eE]mbed)(?:Contents?|Text|Answer)|(?:count|compute)Tokens|predict\w*)`

/**
 * The formats and where they are spoken; the first that claims a path wins. A target may have any prefix of its own, so
 * paths are told by how they end; where an ending is short enough to be another's, what stands before it counts too.
 */
const claims: readonly (readonly [path: RegExp, format: Format])[] = [
  [/\/(?:chat|fim|agents)\/completions$/, openaiChat],
  [/\/completions$/, openaiCompletions],
  [/\/embeddings$/, openaiEmbeddings],
  [/\/(?:images\/(?:generations|edits|variations)|audio\/(?:speech|transcriptions|translations))$/, openaiMedia],
  [/\/responses(?:\/[^/]+){0,2}$/, openaiResponses],
  // OpenAI's `/threads/ID/messages` are something else.
  [/(?:^|\/v\d\w*|\/anthropic)\/messages(?:\/count_tokens)?$/, anthropic],
  // Vertex AI passes Anthropic's protocol through: `publishers/anthropic/models/claude-…:streamRawPredict`.
  [/\/publishers\/anthropic\/models\/[^/]+$/, anthropic],
  [new RegExp(`/[^/]+:${GOOGLE_VERB}$`), gemini],
  [/\/v\d+(?:alpha|beta)\d*\/models(?:\/[^/]+)?$/, gemini],
  [/\/v\d+(?:alpha|beta)\d*(?:\/.+)?\/interactions(?:\/[^/]+){0,2}$/, geminiInteractions],
  [/\/model\/[^/]+\/(?:converse(?:-stream)?|count-tokens)$/, bedrockConverse],
  [/\/model\/[^/]+\/invoke(?:-with-response-stream)?$/, bedrockInvoke],
  [/\/api\/(?:chat|embed)$/, ollamaChat],
  [/\/api\/generate$/, ollamaGenerate],
  [/\/v[12]\/(?:chat|embed|rerank)$/, cohere],
  [/\/generate_stream$/, tgi],
]

/**
 * The protocol that the client of a provider path speaks; OpenAI's chat completions where no other claims it.
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function detectFormat(path: string): Format {
  return claimOf(path) ?? guessedChat
}

function claimOf(path: string): Format | undefined {
  return claimantOf(path)?.[1]
}

/** Remembered: it is asked several times for each request, and there are few paths. */
const claimantOf = memoize((path) => claims.find(([claimed]) => claimed.test(path)) ?? NO_CLAIM)
const NO_CLAIM: readonly [] = []

/** Whether a format claims the path, so that what is spoken there is known. */
export function isClaimed(path: string): boolean {
  return claimOf(path) !== undefined
}

/**
 * Whether a request has a model write text, so that its answer should tell how much: other requests tell nothing, and nothing
 * is missing there.
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function generatesAt(method: string, path: string): boolean {
  const format = claimOf(path)
  return method === 'POST' && format !== undefined && format !== openaiMedia && canGenerate(path)
}

const STREAM_BY_PATH = /(:stream\w+|[-_]stream)$/
const STREAM_BY_DEFAULT = /\/api\/(chat|generate)$/

/**
 * Whether a request asks for its answer as a stream: by its path (Gemini, Bedrock), by its body, where Ollama streams
 * unless told not to, or by its query, if it asks for an answer that was begun before (`GET responses/ID?stream=true`).
 *
 * @param path the provider's, prefix of the target and all
 * @param body the parsed JSON body, if there is one
 * @param query of the request, from the `?` on or without it
 */
export function asksForStream(method: string, path: string, body: unknown, query = ''): boolean {
  if (method === 'GET') return isTrue(new URLSearchParams(query).get('stream'))
  if (method === 'POST' && STREAM_BY_PATH.test(path)) return true
  const asked = typeof body === 'object' && body !== null && 'stream' in body ? body.stream : undefined
  // As lax as the laxest provider: `1` and `"true"` ask, too.
  return Boolean(asked) || (asked === undefined && method === 'POST' && STREAM_BY_DEFAULT.test(path))
}

/** As providers read a flag in a query: Python's frameworks take `1` and `True`, too. */
function isTrue(flag: string | null): boolean {
  return flag === '1' || flag?.toLowerCase() === 'true'
}

const GENERATES_NOTHING = new RegExp(
  [
    '/(?:embed(?:dings)?|rerank|score|classify|moderations|ocr|(?:de)?tokenize|(?:count|input)[_-]tokens)$',
    '/(?:cancel|compact|show)$|/guardrail/[^/]+/version/[^/]+/apply$',
    ':(?:\\w*Tokens|\\w*[eE]mbedContents?|predict\\w*|fetchPredictOperation)$|/count-tokens:rawPredict$',
  ].join('|'),
)

/**
 * Whether what a path asks for can generate text of a length that the request may limit: counting tokens and embedding
 * cannot, and providers refuse a limit in such a request.
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function canGenerate(path: string): boolean {
  return !GENERATES_NOTHING.test(path)
}

/**
 * Whether a request needs no model: it stops or deletes what a model has written, or looks at text alone (a guardrail).
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function runsNoModel(method: string, path: string): boolean {
  if (method === 'DELETE') return /\/(?:responses|interactions)\/[^/]+$/.test(path)
  return (
    method === 'POST' &&
    /\/(?:responses|interactions)\/[^/]+\/cancel$|\/guardrail\/[^/]+\/version\/[^/]+\/apply$/.test(path)
  )
}

/** Where a path names the model: `models/NAME:verb`, Bedrock's `model/ID/verb`, Azure's `deployments/NAME/…`. */
const MODELS = [
  new RegExp(`/(?:models|tunedModels|endpoints)/([^/]+):(?:${GOOGLE_VERB}|rawPredict|streamRawPredict)$`),
  /\/model\/([^/]+)\/(?:converse|invoke|count-tokens)[\w-]*$/,
  /\/(?:deployments|engines)\/([^/]+)\/./,
  /\/serving-endpoints\/([^/]+)\/invocations$/,
]

/** Vertex AI counts Claude's tokens under a name that is no model's: the body names it. */
const NO_MODEL = /\/publishers\/anthropic\/models\/count-tokens:rawPredict$/

/** The model that a path names, percent-decoded; `undefined` where it names none. */
export function modelInPath(path: string): string | undefined {
  if (NO_MODEL.test(path)) return undefined
  for (const pattern of MODELS) {
    const named = pattern.exec(path)?.[1]
    if (named !== undefined) return decoded(named)
  }
  return undefined
}

const MODEL_OF_ANY_VERB = /\/(?:models|tunedModels|endpoints)\/([^/]+):[^/:]+\/?$|\/model\/([^/]+)\/./

/**
 * The same, where it must not be overlooked: also for a verb that is not known, and with a slash at the end. Some paths
 * that name no model are taken for one that does (`models/llama3:latest`).
 */
export function modelPerhapsInPath(path: string): string | undefined {
  if (NO_MODEL.test(path)) return undefined
  const [, google, bedrock] = MODEL_OF_ANY_VERB.exec(path) ?? []
  const named = google ?? bedrock
  return modelInPath(path) ?? (named === undefined ? undefined : decoded(named))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
