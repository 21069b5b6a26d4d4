import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GoogleGenAI } from '@google/genai'
import { askedBothWays, assertExact, collected, mocked, mockedText } from '../support/aimock.js'
import { startApp } from '../support/app.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'

const clientAt = (baseUrl: string, apiVersion?: string) =>
  new GoogleGenAI({ apiKey: 'key', apiVersion, httpOptions: { baseUrl } })
// aimock knows no other version of the API; the SDK asks for `v1` from its version 3 on.
const mockedAt = (baseUrl: string) => clientAt(baseUrl, 'v1beta')
const asked = (contents: string) => ({ model: 'gemini-x', contents })
const total = mocked.inputTokens + mocked.outputTokens
// aimock's Gemini gives no name of a model, and no id.
const expected = {
  format: 'gemini',
  model: 'gemini-x',
  finishReason: 'STOP',
  usage: { ...mocked, totalTokens: total, estimated: false },
} as const

describe("Google's SDK", () => {
  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) => mockedAt(url).models.generateContent(asked('Hi')))
    const { candidates, usageMetadata } = compared.result
    assert.equal(candidates?.[0]?.content?.parts?.[0]?.text, mockedText)
    assert.equal(usageMetadata?.candidatesTokenCount, mocked.outputTokens)
    assertExact(compared, { ...expected, stream: false, firstTokenMs: undefined })
  })

  test('reads a stream', async (t) => {
    const compared = await askedBothWays(t, async (url) =>
      collected(await mockedAt(url).models.generateContentStream(asked('Hi'))),
    )
    const text = compared.result.map(({ candidates }) => candidates?.[0]?.content?.parts?.[0]?.text).join('')
    assert.equal(text, mockedText)
    assert.equal(compared.result.at(-1)?.usageMetadata?.totalTokenCount, total)
    assertExact(compared, { ...expected, stream: true })
  })

  test('reads tool calls, streamed and not', async (t) => {
    const whole = await askedBothWays(t, (url) => mockedAt(url).models.generateContent(asked('weather')))
    assert.equal(whole.result.functionCalls?.[0]?.name, 'weather')
    const { finishReason: _, ...used } = expected
    assertExact(whole, used)
    const streamed = await askedBothWays(t, async (url) =>
      collected(await mockedAt(url).models.generateContentStream(asked('weather'))),
    )
    assertExact(streamed, used)
  })

  test('reports usage with thoughts added; of the usage in every event, the last counts', async (t) => {
    const { geminiSse } = streams
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, geminiSse, geminiSse.frames).end() })
    const compared = await askedBothWays(
      t,
      async (url) => collected(await clientAt(url).models.generateContentStream(asked('Hi'))),
      provider.url,
    )
    const told = compared.result.at(-1)?.usageMetadata
    assertExact(compared, {
      ...geminiSse.told,
      usage: {
        inputTokens: told?.promptTokenCount,
        outputTokens: told?.candidatesTokenCount,
        totalTokens: told?.totalTokenCount,
        reasoningTokens: told?.thoughtsTokenCount,
        estimated: false,
      },
    })
  })

  test('counts tokens, which is not reported as usage', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { totalTokens: 7 }) })
    const { record, result } = await askedBothWays(
      t,
      (url) => clientAt(url).models.countTokens(asked('Hi')),
      provider.url,
    )
    assert.equal(result.totalTokens, 7)
    assert.deepEqual([record.format, record.usage], ['gemini', undefined])
  })
})

// The SDK always asks for server-sent events; who does not ask gets a JSON array.
test('reads a stream as a JSON array, which passes byte for byte and is metered', async (t) => {
  const { geminiArray } = streams
  const provider = await startProvider(t, { onCall: (call) => sendStream(call, geminiArray, geminiArray.frames).end() })
  const app = await startApp(t, { target: provider.url })
  const response = await fetch(app.url + geminiArray.path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(geminiArray.request),
  })
  assert.equal(await response.text(), Buffer.concat(geminiArray.frames).toString())
  assertExact(
    { record: await app.record() },
    { ...geminiArray.told, stream: true, events: geminiArray.frames.length - 1 },
  )
})
