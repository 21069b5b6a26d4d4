import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { askedBothWays, assertExact, collected, mocked, mockedText } from '../support/aimock.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'

const clientAt = (baseURL: string) => new Anthropic({ baseURL, apiKey: 'sk-client', maxRetries: 0 })
const asked = (content: string) => ({
  model: 'claude-x',
  max_tokens: 99,
  messages: [{ role: 'user' as const, content }],
})
const expected = {
  format: 'anthropic',
  model: 'claude-x',
  responseModel: 'model-that-answered',
  responseId: 'answer-1',
  finishReason: 'end_turn',
  usage: { ...mocked, estimated: false },
} as const

describe("Anthropic's SDK", () => {
  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) => clientAt(url).messages.create(asked('Hi')))
    const [block] = compared.result.content
    assert.ok(block?.type === 'text' && block.text === mockedText)
    assert.equal(compared.result.usage.output_tokens, mocked.outputTokens)
    assertExact(compared, { ...expected, stream: false, firstTokenMs: undefined })
  })

  test('reads a stream, event by event', async (t) => {
    const compared = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).messages.create({ ...asked('Hi'), stream: true })),
    )
    assert.deepEqual([...new Set(compared.result.map(({ type }) => type))].at(-1), 'message_stop')
    assertExact(compared, { ...expected, stream: true })
  })

  test('assembles a stream into a message', async (t) => {
    const compared = await askedBothWays(t, (url) => clientAt(url).messages.stream(asked('Hi')).finalMessage())
    const { usage } = compared.result
    assert.deepEqual([usage.input_tokens, usage.output_tokens], [mocked.inputTokens, mocked.outputTokens])
    assertExact(compared, expected)
  })

  test('reads tool calls, streamed and not', async (t) => {
    const tools = [{ name: 'weather', input_schema: { type: 'object' as const } }]
    const whole = await askedBothWays(t, (url) => clientAt(url).messages.create({ ...asked('weather'), tools }))
    assertExact(whole, { ...expected, finishReason: 'tool_use' })
    const streamed = await askedBothWays(t, (url) =>
      clientAt(url)
        .messages.stream({ ...asked('weather'), tools })
        .finalMessage(),
    )
    const [block] = streamed.result.content
    assert.ok(block?.type === 'tool_use')
    assert.deepEqual(block.input, { city: 'Göteborg' })
    assertExact(streamed, { ...expected, finishReason: 'tool_use' })
  })

  test('reads cache figures, which only the start of a stream has', async (t) => {
    const { anthropic } = streams
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, anthropic, anthropic.frames).end() })
    const compared = await askedBothWays(
      t,
      (url) => clientAt(url).messages.stream(asked('Hi')).finalMessage(),
      provider.url,
    )
    const { usage } = compared.result
    assertExact(compared, {
      ...anthropic.told,
      usage: {
        inputTokens: usage.input_tokens,
        outputTokens: usage.output_tokens,
        cachedInputTokens: usage.cache_read_input_tokens ?? undefined,
        cacheWriteTokens: usage.cache_creation_input_tokens ?? undefined,
        estimated: false,
      },
    })
  })

  test('counts tokens, which is not reported as usage', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { input_tokens: 14 }) })
    const { max_tokens: _, ...counted } = asked('Hi')
    const { record, result } = await askedBothWays(
      t,
      (url) => clientAt(url).messages.countTokens(counted),
      provider.url,
    )
    assert.equal(result.input_tokens, 14)
    assert.equal(record.format, 'anthropic')
    assert.equal(record.usage, undefined)
  })

  for (const stream of [true, false]) {
    test(`throws the provider's own error, ${stream ? 'streamed' : 'not streamed'}`, async (t) => {
      const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
      const provider = await startProvider(t, { onCall: (call) => call.json(529, error) })
      const { record } = await askedBothWays(
        t,
        async (url) => {
          const thrown: unknown = await clientAt(url)
            .messages.create({ ...asked('Hi'), stream })
            .then(() => assert.fail('it was no error'))
            .catch((error: unknown) => error)
          assert.ok(thrown instanceof Anthropic.APIError)
          return { status: thrown.status, error: thrown.error }
        },
        provider.url,
      )
      assert.deepEqual([record.outcome, record.status, record.usage], ['provider_error', 529, undefined])
    })
  }
})
