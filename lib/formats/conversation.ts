import type { CompleteFormat } from './complete.js'
import { listAt, textAt, valueAt } from './fields.js'

/** Fields that hold the system prompt, per protocol. */
const SYSTEM_FIELDS = ['system', 'instructions', 'systemInstruction', 'system_instruction', 'preamble']
/** Fields that hold the tools. */
const TOOL_FIELDS = ['tools', 'toolConfig', 'functions']
/** Fields that hold the messages, the earliest first. */
const MESSAGE_FIELDS = ['messages', 'input', 'contents']
const SYSTEM_ROLES = new Set(['system', 'developer'])

/**
 * Returns the key by which the app itself names the conversation or the user, for the provider's prompt cache: OpenAI's
 * `prompt_cache_key` and Anthropic's `metadata.user_id`.
 *
 * - https://platform.openai.com/docs/guides/prompt-caching
 * - https://docs.anthropic.com/en/api/messages#body-metadata
 */
export function cacheKeyIn(body: unknown): string | undefined {
  return textAt(body, 'prompt_cache_key') ?? textAt(body, 'metadata', 'user_id')
}

/**
 * Returns what the requests of a conversation have in common, and prompt caches keep: the system prompt, the tools and
 * the first message of the user. Empty if the request has none of them.
 */
export function beginningOf(body: unknown): readonly unknown[] {
  const messages = MESSAGE_FIELDS.map((name) => valueAt(body, name)).find((value) => value !== undefined)
  const list = Array.isArray(messages) ? (messages as readonly unknown[]) : []
  const leading = list.slice(0, MAX_LEADING_MESSAGES)
  const parts = [
    ...SYSTEM_FIELDS.map((name) => valueAt(body, name)),
    ...leading.filter((message) => SYSTEM_ROLES.has(textAt(message, 'role') ?? '')),
    ...TOOL_FIELDS.map((name) => valueAt(body, name)),
    leading.find((message) => !SYSTEM_ROLES.has(textAt(message, 'role') ?? '')),
    typeof messages === 'string' ? messages : undefined,
    textAt(body, 'prompt'),
    ...listAt(body, 'prompt').slice(0, 1),
  ]
  return parts.filter((part) => part !== undefined)
}

/** The user's first message follows the system's, of which there are a few. */
const MAX_LEADING_MESSAGES = 8

/**
 * Number of characters up to which an id of an answer is remembered, and looked up. Ids have some 60 characters, and those of
 * gateways, which encode more in them, some 300.
 */
export const MAX_ANSWER_ID_LENGTH = 1024

/** Returns whether a provider keeps the answers of a format, so that a later request may name one by its id. */
export function keepsAnswers({ continuationField, answerPaths }: CompleteFormat): boolean {
  return continuationField !== undefined || answerPaths.length > 0
}

/** Returns the names of the top-level field in which a request of a format names the answer that it continues. */
export function continuationNames({
  continuationField: name,
  readsBothCases,
}: Partial<Pick<CompleteFormat, 'continuationField' | 'readsBothCases'>>): readonly string[] {
  if (name === undefined) return []
  const camelCase = name.replace(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase())
  return readsBothCases && camelCase !== name ? [name, camelCase] : [name]
}

/** Returns the id of the kept answer that a path is about; `undefined` if it is about none. */
export function answerIdIn(path: string, { answerPaths }: CompleteFormat): string | undefined {
  for (const pattern of answerPaths) {
    const id = pattern.exec(path)?.[1]
    if (id !== undefined) return id
  }
  return undefined
}

/** Returns whether a request only begins an answer, which is to be read later. https://platform.openai.com/docs/guides/background */
export function beginsTask(body: unknown): boolean {
  return valueAt(body, 'background') === true
}

/** Returns whether a request is part of a conversation that the provider keeps, so that its answer changes the next one's. */
export function joinsConversation(body: unknown): boolean {
  return Boolean(valueAt(body, 'conversation'))
}
