/** Short answers of a provider: a stream of a few words, or the same words as JSON. */
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProviderName } from './messages.js'

/** How long the provider thinks. It thinks much longer than it speaks, so few answers are under way at any time. */
const THINKING_MS = 40
const BETWEEN_WORDS_MS = 2
const words = ['A', ' short', ' answer']

/** Answers a request. The answer names the provider as its model, so that its client knows who served it. */
export async function answerShortly(res: ServerResponse, isStream: boolean, name: ProviderName): Promise<void> {
  const base = { id: 'chatcmpl-1', created: 1_760_000_000, model: name }
  res.on('error', () => {}) // its client may leave
  if (!isStream) {
    await sleep(THINKING_MS)
    const message = { role: 'assistant', content: words.join('') }
    const choices = [{ index: 0, message, finish_reason: 'stop' }]
    res
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ ...base, object: 'chat.completion', choices }))
    return
  }

  const send = (delta: object, finish: 'stop' | null = null) => {
    const choices = [{ index: 0, delta, finish_reason: finish }]
    res.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices })}\n\n`)
  }
  res.setHeader('content-type', 'text/event-stream')
  send({ role: 'assistant', content: '' })
  await sleep(THINKING_MS)
  for (const content of words) {
    send({ content })
    await sleep(BETWEEN_WORDS_MS)
  }
  send({}, 'stop')
  res.end('data: [DONE]\n\n')
}
