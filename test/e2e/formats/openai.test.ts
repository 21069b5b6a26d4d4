import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI from 'openai'
import { askedBothWays, assertExact, collected, mocked, mockedText } from '../support/aimock.js'
import { startApp } from '../support/app.js'
import { type Owner, startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'

const clientAt = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-client', maxRetries: 0 })
const asked = (content: string) => ({ model: 'gpt-4o', messages: [{ role: 'user' as const, content }] })
const usage = { ...mocked, totalTokens: mocked.inputTokens + mocked.outputTokens, estimated: false }
const answered = { responseModel: 'model-that-answered', responseId: 'answer-1', finishReason: 'stop', usage }

describe("OpenAI's SDK: chat completions", () => {
  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) => clientAt(url).chat.completions.create(asked('Hi')))
    assert.equal(compared.result.choices[0]?.message.content, mockedText)
    assert.equal(compared.result.usage?.completion_tokens, mocked.outputTokens)
    assertExact(compared, {
      ...answered,
      format: 'openai-chat',
      stream: false,
      model: 'gpt-4o',
      firstTokenMs: undefined,
    })
  })

  test('reads a stream that asks for usage', async (t) => {
    const compared = await askedBothWays(t, async (url) =>
      collected(
        await clientAt(url).chat.completions.create({
          ...asked('Hi'),
          stream: true,
          stream_options: { include_usage: true },
        }),
      ),
    )
    const text = compared.result.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
    assert.equal(text, mockedText)
    assert.equal(compared.result.at(-1)?.usage?.completion_tokens, mocked.outputTokens)
    assertExact(compared, { ...answered, format: 'openai-chat', stream: true, model: 'gpt-4o' })
  })

  test('reads a stream that does not: the client gets no usage, the record has it', async (t) => {
    const compared = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).chat.completions.create({ ...asked('Hi'), stream: true })),
    )
    assert.equal(compared.result.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), mockedText)
    assert.ok(compared.result.every(({ usage: told, choices }) => !told && choices.length > 0))
    assertExact(compared, { ...answered, format: 'openai-chat' })
  })

  test('reads tool calls, streamed and not', async (t) => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: {} } }]
    const whole = await askedBothWays(t, (url) => clientAt(url).chat.completions.create({ ...asked('weather'), tools }))
    const call = whole.result.choices[0]?.message.tool_calls?.[0]
    assert.ok(call?.type === 'function' && call.function.arguments === '{"city":"Göteborg"}')
    assertExact(whole, { finishReason: 'tool_calls', usage })
    const streamed = await askedBothWays(t, (url) =>
      clientAt(url)
        .chat.completions.stream({ ...asked('weather'), tools })
        .finalChatCompletion(),
    )
    assertExact(streamed, { finishReason: 'tool_calls', usage })
  })

  test("throws the provider's own error", async (t) => {
    const refusal = (url: string) =>
      clientAt(url)
        .chat.completions.create({ ...asked('Hi'), model: '' })
        .then(
          () => assert.fail('it was not refused'),
          (error: unknown) => {
            assert.ok(error instanceof OpenAI.APIError)
            return { status: error.status, message: error.message, code: error.code, type: error.type }
          },
        )
    const provider = await startProvider(t, {
      onCall: (call) => call.json(401, { error: { message: 'no such key', type: 'auth', code: 'invalid_api_key' } }),
    })
    const { record, result } = await askedBothWays(t, refusal, provider.url)
    assert.equal(result.code, 'invalid_api_key')
    assert.equal(record.outcome, 'provider_error')
    assert.equal(record.status, 401)
    assert.equal(record.usage, undefined)
  })
})

describe("OpenAI's SDK: responses", () => {
  const expected = { ...answered, format: 'openai-responses', finishReason: 'completed' } as const
  const answer = { model: 'gpt-4o', input: 'Hi' }

  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) => clientAt(url).responses.create(answer))
    assert.equal(compared.result.output_text, mockedText)
    assert.equal(compared.result.usage?.output_tokens, mocked.outputTokens)
    assertExact(compared, { ...expected, stream: false })
  })

  test('reads a stream', async (t) => {
    const compared = await askedBothWays(t, async (url) =>
      collected(await clientAt(url).responses.create({ ...answer, stream: true })),
    )
    const last = compared.result.at(-1)
    assert.ok(last?.type === 'response.completed')
    assert.equal(last.response.usage?.input_tokens, mocked.inputTokens)
    assertExact(compared, { ...expected, stream: true })
  })

  test('reads a stream with a tool call', async (t) => {
    const compared = await askedBothWays(t, (url) =>
      clientAt(url)
        .responses.stream({ ...answer, input: 'weather' })
        .finalResponse(),
    )
    assertExact(compared, expected)
  })
})

describe("OpenAI's SDK: embeddings", () => {
  for (const encoding_format of ['float', 'base64'] as const) {
    test(`reads them as ${encoding_format}`, async (t) => {
      const compared = await askedBothWays(t, (url) =>
        clientAt(url).embeddings.create({ model: 'text-embedding-3-small', input: ['Hi', 'there'], encoding_format }),
      )
      assert.equal(compared.result.data.length, 2)
      const { usage: told } = compared.result
      assertExact(compared, {
        format: 'openai-embeddings',
        stream: false,
        responseModel: 'text-embedding-3-small',
        usage: { inputTokens: told.prompt_tokens, totalTokens: told.total_tokens, estimated: false },
      })
    })
  }

  test('reads more of them than the proxy parses as a whole', async (t) => {
    const provider = await startProvider(t, {
      onCall: (call) =>
        call.json(200, {
          object: 'list',
          data: Array.from({ length: 200 }, (_, index) => ({
            object: 'embedding',
            index,
            embedding: Array.from({ length: 300 }, (_, at) => at / 7),
          })),
          model: 'embedder',
          usage: { prompt_tokens: 800, total_tokens: 800 },
        }),
    })
    const compared = await askedBothWays(
      t,
      (url) => clientAt(url).embeddings.create({ model: 'm', input: 'Hi', encoding_format: 'float' }),
      provider.url,
    )
    assert.equal(compared.result.data.length, 200)
    const used = { inputTokens: 800, totalTokens: 800, estimated: false }
    assertExact(compared, { usage: used, responseModel: 'embedder' })
  })
})

describe("OpenAI's SDK: legacy completions, which aimock does not support", () => {
  const completion = { model: 'm', prompt: 'Tell a story' }
  async function provider(t: Owner) {
    return startProvider(t, {
      onCall: async (call) => {
        const isStream = (await call.text).includes('"stream":true')
        if (isStream) sendStream(call, streams.completions, streams.completions.frames).end()
        else
          call.json(200, {
            id: 'cmpl-2',
            model: 'davinci',
            choices: [{ index: 0, text: 'Once', finish_reason: 'stop' }],
            usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
          })
      },
    })
  }

  test('reads a non-streaming answer', async (t) => {
    const { url: target } = await provider(t)
    const compared = await askedBothWays(t, (url) => clientAt(url).completions.create(completion), target)
    assert.equal(compared.result.choices[0]?.text, 'Once')
    assertExact(compared, {
      format: 'openai-completions',
      responseModel: 'davinci',
      responseId: 'cmpl-2',
      finishReason: 'stop',
      usage: { inputTokens: 3, outputTokens: 1, totalTokens: 4, estimated: false },
    })
  })

  test('reads a stream', async (t) => {
    const { url: target } = await provider(t)
    const compared = await askedBothWays(
      t,
      async (url) =>
        collected(
          await clientAt(url).completions.create({
            ...completion,
            stream: true,
            stream_options: { include_usage: true },
          }),
        ),
      target,
    )
    assert.equal(compared.result.at(-1)?.usage?.completion_tokens, 20)
    assertExact(compared, { ...streams.completions.told, format: 'openai-completions' })
  })
})

describe("OpenAI's SDK at Azure", () => {
  test('streams from a deployment', async (t) => {
    const { AzureOpenAI } = await import('openai')
    const compared = await askedBothWays(t, async (url) => {
      const client = new AzureOpenAI({
        baseURL: `${url}/openai/deployments/my-gpt`,
        apiKey: 'k',
        apiVersion: '2024-10-21',
        maxRetries: 0,
      })
      return collected(await client.chat.completions.create({ ...asked('Hi'), stream: true }))
    })
    assert.ok(compared.result.length > 3)
    assertExact(compared, { ...answered, format: 'openai-chat', model: 'my-gpt' })
  })
})

test('the option `format` sets the format if the path does not determine it', async (t) => {
  const provider = await startProvider(t, {
    onCall: (call) => sendStream(call, streams.anthropic, streams.anthropic.frames).end(),
  })
  const app = await startApp(t, { target: provider.url, format: 'anthropic', endpoints: 'all' })
  const response = await fetch(`${app.url}/of/our/own`, { method: 'POST', body: '{"stream":true}' })
  assert.equal(await response.text(), Buffer.concat(streams.anthropic.frames).toString())
  const record = await app.record()
  assertExact({ record: { ...record, stream: false } }, { ...streams.anthropic.told, format: 'anthropic' })
})
