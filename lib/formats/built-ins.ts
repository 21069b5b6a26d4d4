import { anthropic } from './anthropic.js'
import { bedrockConverse } from './bedrock-converse.js'
import { bedrockInvoke } from './bedrock-invoke.js'
import type { BuiltInFormat } from './built-in.js'
import { cohere } from './cohere.js'
import type { FormatName } from './format.js'
import { gemini } from './gemini.js'
import { geminiInteractions } from './gemini-interactions.js'
import { llamaCpp } from './llama-cpp.js'
import { ollamaChat, ollamaGenerate } from './ollama.js'
import { openaiChat } from './openai-chat.js'
import { openaiCompletions } from './openai-completions.js'
import { openaiEmbeddings } from './openai-embeddings.js'
import { openaiMedia } from './openai-media.js'
import { openaiResponses } from './openai-responses.js'
import { tgi } from './tgi.js'

/** The built-in formats. If several claim a path, the first one is used. The type ensures that none is missing. */
export const builtIns: Readonly<Record<FormatName, BuiltInFormat>> = {
  'openai-chat': openaiChat,
  'openai-completions': openaiCompletions,
  'openai-embeddings': openaiEmbeddings,
  'openai-media': openaiMedia,
  'openai-responses': openaiResponses,
  anthropic,
  gemini,
  'gemini-interactions': geminiInteractions,
  'bedrock-converse': bedrockConverse,
  'bedrock-invoke': bedrockInvoke,
  'ollama-chat': ollamaChat,
  'ollama-generate': ollamaGenerate,
  cohere,
  tgi,
  'llama-cpp': llamaCpp,
}

/** The built-in formats as a list. */
export const builtInFormats: readonly BuiltInFormat[] = Object.values(builtIns)
