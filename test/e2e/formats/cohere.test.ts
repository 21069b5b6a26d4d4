import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CohereClientV2 } from 'cohere-ai'
import { askedBothWays, assertExact, collected, mocked, mockedText } from '../support/aimock.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'

const clientAt = (baseUrl: string) => new CohereClientV2({ baseUrl, token: 'key', maxRetries: 0 })
const asked = (content: string) => ({ model: 'command-x', messages: [{ role: 'user' as const, content }] })
const expected = {
  format: 'cohere',
  model: 'command-x',
  responseId: 'answer-1',
  finishReason: 'COMPLETE',
  usage: { ...mocked, estimated: false },
} as const

describe("Cohere's SDK", () => {
  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) => clientAt(url).chat(asked('Hi')))
    const [block] = compared.result.message.content ?? []
    assert.ok(block?.type === 'text' && block.text === mockedText)
    assert.equal(compared.result.usage?.tokens?.outputTokens, mocked.outputTokens)
    assertExact(compared, { ...expected, stream: false, firstTokenMs: undefined })
  })

  test('reads a stream', async (t) => {
    const compared = await askedBothWays(t, async (url) => collected(await clientAt(url).chatStream(asked('Hi'))))
    const last = compared.result.at(-1)
    assert.ok(last?.type === 'message-end')
    assert.equal(last.delta?.usage?.tokens?.inputTokens, mocked.inputTokens)
    assertExact(compared, { ...expected, stream: true })
  })

  test('reads tool calls, streamed and not', async (t) => {
    const whole = await askedBothWays(t, (url) => clientAt(url).chat(asked('weather')))
    assert.equal(whole.result.message.toolCalls?.[0]?.function?.name, 'weather')
    assertExact(whole, { ...expected, finishReason: 'TOOL_CALL' })
    const streamed = await askedBothWays(t, async (url) => collected(await clientAt(url).chatStream(asked('weather'))))
    assertExact(streamed, { ...expected, finishReason: 'TOOL_CALL' })
  })

  test('reports counted tokens, not billed units', async (t) => {
    const { cohere } = streams
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, cohere, cohere.frames).end() })
    const compared = await askedBothWays(
      t,
      async (url) => collected(await clientAt(url).chatStream(asked('Hi'))),
      provider.url,
    )
    const last = compared.result.at(-1)
    assert.ok(last?.type === 'message-end')
    const { tokens, cachedTokens } = last.delta?.usage ?? {}
    assertExact(compared, {
      ...cohere.told,
      usage: {
        inputTokens: tokens?.inputTokens,
        outputTokens: tokens?.outputTokens,
        cachedInputTokens: cachedTokens,
        estimated: false,
      },
    })
  })
})
