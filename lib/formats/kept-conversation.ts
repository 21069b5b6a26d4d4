import { textAt } from './fields.js'

/**
 * Top-level field in which a request names the conversation that it joins, as an id or an object with one.
 * https://platform.openai.com/docs/guides/conversation-state
 */
export const CONVERSATION_FIELD = 'conversation'

const CONVERSATION = /\/conversations\/([^/]+)(?:\/|$)/
const ANSWERED_WITH_CONVERSATION = /\/conversations(?:\/[^/]+)?\/?$/

/** Returns the id of the conversation that a request joins; `undefined` if it joins none. */
export function conversationIn(body: unknown): string | undefined {
  return textAt(body, CONVERSATION_FIELD) ?? textAt(body, CONVERSATION_FIELD, 'id')
}

/** Returns the id of the conversation that a path is about; `undefined` if it is about none. */
export function conversationAt(path: string): string | undefined {
  return CONVERSATION.exec(path)?.[1]
}

/** Returns whether the id of the answer at a path is that of a conversation. */
export function isAnsweredWithConversation(path: string): boolean {
  return ANSWERED_WITH_CONVERSATION.test(path)
}
