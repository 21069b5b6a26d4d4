/** The chat clients, in a process of their own so that the burst clients do not delay them. */
import { resetChat, startChat, stopChat } from './jobs/chat'
import { answerWith } from './rpc'

const api = { startChat, resetChat, stopChat }

export type ChatApi = typeof api
answerWith(api)
