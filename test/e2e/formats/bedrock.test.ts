import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
  type ResponseStream,
} from '@aws-sdk/client-bedrock-runtime'
import type { AiProxyOptions } from '../../../lib/index.js'
import { askedBothWays, assertExact, collected, mocked, mockedText, startAimock } from '../support/aimock.js'
import { startApp } from '../support/app.js'
import { withBedrock } from '../support/aws.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'

const modelId = 'eu.anthropic.claude-x-v1:0'
const asked = (text: string) => ({ modelId, messages: [{ role: 'user' as const, content: [{ text }] }] })
const total = mocked.inputTokens + mocked.outputTokens

describe("AWS's SDK: converse", () => {
  const expected = {
    format: 'bedrock-converse',
    model: modelId,
    finishReason: 'end_turn',
    usage: { ...mocked, totalTokens: total, estimated: false },
  } as const

  test('reads a non-streaming answer', async (t) => {
    const compared = await askedBothWays(t, (url) =>
      withBedrock(url, (client) => client.send(new ConverseCommand(asked('Hi')))),
    )
    assert.equal(compared.result.output?.message?.content?.[0]?.text, mockedText)
    assert.equal(compared.result.usage?.outputTokens, mocked.outputTokens)
    assertExact(compared, { ...expected, stream: false, firstTokenMs: undefined })
  })

  test('reads a stream', async (t) => {
    const compared = await askedBothWays(t, (url) =>
      withBedrock(url, async (client) => {
        const { stream } = await client.send(new ConverseStreamCommand(asked('Hi')))
        return collected(stream!)
      }),
    )
    const text = compared.result.map(({ contentBlockDelta }) => contentBlockDelta?.delta?.text ?? '').join('')
    assert.equal(text, mockedText)
    assert.equal(compared.result.at(-1)?.metadata?.usage?.totalTokens, total)
    assertExact(compared, { ...expected, stream: true })
  })

  test('reads tool calls, streamed and not', async (t) => {
    const whole = await askedBothWays(t, (url) =>
      withBedrock(url, (client) => client.send(new ConverseCommand(asked('weather')))),
    )
    assert.equal(whole.result.stopReason, 'tool_use')
    assertExact(whole, { ...expected, finishReason: 'tool_use' })
    const streamed = await askedBothWays(t, (url) =>
      withBedrock(url, async (client) => {
        const { stream } = await client.send(new ConverseStreamCommand(asked('weather')))
        return collected(stream!)
      }),
    )
    assertExact(streamed, { ...expected, finishReason: 'tool_use' })
  })

  test('reads cache figures', async (t) => {
    const { converse } = streams
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, converse, converse.frames).end() })
    const compared = await askedBothWays(
      t,
      (url) =>
        withBedrock(url, async (client) => {
          const { stream } = await client.send(new ConverseStreamCommand(asked('Hi')))
          return collected(stream!)
        }),
      provider.url,
    )
    const told = compared.result.at(-1)?.metadata?.usage
    assert.equal(told?.cacheReadInputTokens, 3)
    assertExact(compared, converse.told)
  })

  test('accepts a model that is an ARN', async (t) => {
    const arn = 'arn:aws:bedrock:eu-north-1:123456789012:application-inference-profile/abc123'
    const provider = await startProvider(t, {
      onCall: (call) =>
        call.json(200, { output: {}, stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 2 } }),
    })
    const { record } = await askedBothWays(
      t,
      (url) => withBedrock(url, (client) => client.send(new ConverseCommand({ ...asked('Hi'), modelId: arn }))),
      provider.url,
    )
    assert.equal(record.model, arn)
    assert.equal(provider.calls[0]?.url, provider.calls[1]?.url)
    assert.match(provider.calls[0]?.url ?? '', /%2Fabc123\/converse$/)
  })
})

describe("AWS's SDK: invoke", () => {
  const input = {
    modelId,
    contentType: 'application/json',
    body: JSON.stringify({
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 99,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  }
  const expected = {
    format: 'bedrock-invoke',
    model: modelId,
    finishReason: 'end_turn',
    responseModel: 'model-that-answered',
    responseId: 'answer-1',
    usage: { ...mocked, estimated: false },
  } as const
  const invoked = (url: string) =>
    withBedrock(url, async (client) => {
      const { body } = await client.send(new InvokeModelCommand(input))
      return JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>
    })
  const streamed = (url: string) =>
    withBedrock(url, async (client) => {
      const { body } = await client.send(new InvokeModelWithResponseStreamCommand(input))
      return (await collected(body!)).map(messageOf)
    })

  for (const [what, options] of [
    ['by default', {}],
    ['with every endpoint allowed', { endpoints: 'all' }],
  ] satisfies [string, Partial<AiProxyOptions>][]) {
    test(`reads a non-streaming answer, ${what}`, async (t) => {
      const compared = await askedBothWays(t, invoked, undefined, options)
      assert.deepEqual(compared.result.usage, { input_tokens: 31, output_tokens: 17 })
      assertExact(compared, { ...expected, stream: false })
    })

    // aimock does not wrap a model's messages as Bedrock does (`{"bytes":…}`), and the SDK then finds none.
    test(`reads a stream, ${what}`, async (t) => {
      const { invoke } = streams
      const provider = await startProvider(t, { onCall: (call) => sendStream(call, invoke, invoke.frames).end() })
      const compared = await askedBothWays(t, streamed, provider.url, options)
      assert.equal(compared.result.at(-1)?.type, 'message_stop')
      assert.deepEqual(compared.result.at(-2)?.usage, { output_tokens: 19 })
      assertExact(compared, { ...invoke.told, stream: true })
    })
  }

  test("unwrapped messages, such as aimock's, pass byte for byte and are metered", async (t) => {
    const mock = await startAimock(t)
    const path = `/model/${modelId}/invoke-with-response-stream`
    const bytesFrom = async (url: string) => {
      const response = await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: input.body,
      })
      assert.equal(response.headers.get('content-type'), 'application/vnd.amazon.eventstream')
      return Buffer.from(await response.arrayBuffer())
    }
    const app = await startApp(t, { target: mock.url, endpoints: 'all' })
    assert.equal((await bytesFrom(app.url)).toString('latin1'), (await bytesFrom(mock.url)).toString('latin1'))
    assertExact({ record: await app.record() }, { ...expected, stream: true })
  })
})

/** A model's own message in an event of a stream. */
function messageOf({ chunk }: ResponseStream): Record<string, unknown> {
  return JSON.parse(Buffer.from(chunk?.bytes ?? []).toString()) as Record<string, unknown>
}
