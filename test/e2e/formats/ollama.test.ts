import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Ollama } from 'ollama'
import { askedBothWays, assertExact, collected, mockedText } from '../support/aimock.js'
import { type Owner, startProvider } from '../support/provider.js'
import { assertTold, sendStream, streams } from '../support/streams.js'

const clientAt = (host: string) => new Ollama({ host })
const chat = (content: string) => ({ model: 'llama3.2:1b', messages: [{ role: 'user', content }] })
const generate = { model: 'llama3.2:1b', prompt: 'Hi' }
// aimock's Ollama says that it has used nothing.
const nothing = { inputTokens: 0, outputTokens: 0, estimated: false }
const expected = { model: 'llama3.2:1b', responseModel: 'llama3.2:1b', finishReason: 'stop', usage: nothing } as const

describe("Ollama's SDK against aimock", () => {
  test('reads a non-streaming chat', async (t) => {
    const { record, result } = await askedBothWays(t, (url) => clientAt(url).chat({ ...chat('Hi'), stream: false }))
    assert.equal(result.message.content, mockedText)
    assertTold(record, { ...expected, format: 'ollama-chat', stream: false })
  })

  test('reads a streamed chat', async (t) => {
    const { record, result } = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).chat({ ...chat('Hi'), stream: true })),
    )
    assert.equal(result.map(({ message }) => message.content).join(''), mockedText)
    assertTold(record, { ...expected, format: 'ollama-chat', stream: true })
    assert.ok(record.firstTokenMs !== undefined)
  })

  test('reads a completion, streamed and not', async (t) => {
    const whole = await askedBothWays(t, (url) => clientAt(url).generate({ ...generate, stream: false }))
    assert.equal(whole.result.response, mockedText)
    assertTold(whole.record, { ...expected, format: 'ollama-generate' })
    const streamed = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).generate({ ...generate, stream: true })),
    )
    assert.equal(streamed.result.map(({ response }) => response).join(''), mockedText)
    assertTold(streamed.record, { ...expected, format: 'ollama-generate' })
  })

  test('reads tool calls', async (t) => {
    const { result, record } = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).chat({ ...chat('weather'), stream: true })),
    )
    assert.ok(result.some(({ message }) => message.tool_calls?.[0]?.function.name === 'weather'))
    assert.equal(record.outcome, 'completed')
  })
})

describe("Ollama's SDK against a provider that reports usage", () => {
  const last = <T>(list: readonly T[]) => list.at(-1)!
  const speaking = (t: Owner, stream: (typeof streams)[keyof typeof streams]) =>
    startProvider(t, {
      onCall: async (call) => {
        if ((await call.text).includes('"stream":false')) {
          call.json(200, JSON.parse(last(stream.frames).toString()))
        } else sendStream(call, stream, stream.frames).end()
      },
    })

  test('reads a chat', async (t) => {
    const { url } = await speaking(t, streams.ollamaChat)
    const streamed = await askedBothWays(
      t,
      async (host) => collected(await clientAt(host).chat({ ...chat('Hi'), stream: true })),
      url,
    )
    const { prompt_eval_count: inputTokens, eval_count: outputTokens } = last(streamed.result)
    assertExact(streamed, { ...streams.ollamaChat.told, usage: { inputTokens, outputTokens, estimated: false } })
    const whole = await askedBothWays(t, (host) => clientAt(host).chat({ ...chat('Hi'), stream: false }), url)
    assertExact(whole, streams.ollamaChat.told)
  })

  test('reads a completion', async (t) => {
    const { url } = await speaking(t, streams.ollamaGenerate)
    const streamed = await askedBothWays(
      t,
      async (host) => collected(await clientAt(host).generate({ ...generate, stream: true })),
      url,
    )
    const { prompt_eval_count: inputTokens, eval_count: outputTokens } = last(streamed.result)
    assertExact(streamed, { ...streams.ollamaGenerate.told, usage: { inputTokens, outputTokens, estimated: false } })
    const whole = await askedBothWays(t, (host) => clientAt(host).generate({ ...generate, stream: false }), url)
    assertExact(whole, streams.ollamaGenerate.told)
  })
})
