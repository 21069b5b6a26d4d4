/** The clients that chat: a process of its own, so that the bursts' clients do not delay them. */
import { resetChat, startChat, stopChat } from './jobs/chat'
import { answerWith } from './rpc'

const api = { startChat, resetChat, stopChat }

export type ChatApi = typeof api
answerWith(api)
