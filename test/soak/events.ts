/** Occurs once in each event and nowhere else: clients count events by it. */
export const MARK = '~'.charCodeAt(0)

/** One event of a chat completion. */
export const EVENT = `data: ${JSON.stringify({
  id: 'chatcmpl-of-the-soak',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-of-the-soak',
  choices: [{ index: 0, delta: { content: ' word' }, finish_reason: null }],
  obfuscation: '~',
})}\n\n`

/** An event before any content. Clients do not count it. */
export const ROLE = `data: ${JSON.stringify({
  id: 'chatcmpl-of-the-soak',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-of-the-soak',
  choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }],
})}\n\n`

/** A failure of the provider after the head of its stream. */
export const ERROR = `data: ${JSON.stringify({ error: { message: 'Overloaded', type: 'server_error' } })}\n\n`

export const DONE = 'data: [DONE]\n\n'

/** An event of 32 KiB, for providers that send as much as they can. */
export const LARGE_EVENT = `data: ${JSON.stringify({ choices: [], padding: `~${'x'.repeat(32 * 1024)}` })}\n\n`
