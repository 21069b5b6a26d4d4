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

export const DONE = 'data: [DONE]\n\n'

/** An event of 32 KiB, for providers that send as much as they can. */
export const LARGE_EVENT = `data: ${JSON.stringify({ choices: [], padding: `~${'x'.repeat(32 * 1024)}` })}\n\n`
