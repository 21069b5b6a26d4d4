import { anthropic } from './anthropic.js'
import { bedrockConverse } from './bedrock-converse.js'
import { bedrockInvoke } from './bedrock-invoke.js'
import { cohere } from './cohere.js'
import type { Format, FormatName } from './format.js'
import { gemini } from './gemini.js'
import { geminiInteractions } from './gemini-interactions.js'
import { ollamaChat, ollamaGenerate } from './ollama.js'
import { openaiChat } from './openai-chat.js'
import { openaiCompletions } from './openai-completions.js'
import { openaiEmbeddings } from './openai-embeddings.js'
import { openaiMedia } from './openai-media.js'
import { openaiResponses } from './openai-responses.js'
import { tgi } from './tgi.js'

export { anyErrorIn, isFailure, sentenceOf } from './failures.js'
export type {
  Counting,
  FailureNotice,
  Format,
  FormatName,
  JsonObject,
  ParsedMessage,
  Progress,
  StreamState,
  Usage,
  WholeItem,
} from './format.js'
export {
  asksForStream,
  canGenerate,
  detectFormat,
  generatesAt,
  isClaimed,
  modelInPath,
  modelPerhapsInPath,
  runsNoModel,
} from './paths.js'
export { reasoningBesideOutput, type Tokens, tokensOf } from './tokens.js'
export { mergeUsage } from './usage.js'

/** Its type makes sure that none is forgotten. */
const formats: Readonly<Record<FormatName, Format>> = {
  'openai-chat': openaiChat,
  'openai-completions': openaiCompletions,
  'openai-responses': openaiResponses,
  'openai-embeddings': openaiEmbeddings,
  'openai-media': openaiMedia,
  anthropic,
  gemini,
  'gemini-interactions': geminiInteractions,
  'bedrock-converse': bedrockConverse,
  'bedrock-invoke': bedrockInvoke,
  'ollama-chat': ollamaChat,
  'ollama-generate': ollamaGenerate,
  cohere,
  tgi,
}

/** The names of all formats. */
export const formatNames = Object.keys(formats) as readonly FormatName[]

/** The format of a name. */
export function getFormat(name: FormatName): Format {
  return formats[name]
}
