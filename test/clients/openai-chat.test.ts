import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI from 'openai'
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod'
import { sendStream } from '../e2e/support/streams.js'
import { bothWays } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { heardFrom } from './listening.js'
import { aboutObject, aboutWeather, mockedBothWays, weather } from './mocked.js'
import { providersRequestId } from './request-ids.js'
import { describeSdk } from './sdk-suite.js'
import { outcomeOf, thrownBy } from './thrown.js'
import { beginning, chat } from './wires.js'

const clientAt = (url: string, maxRetries = 0) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-client', maxRetries })
const asking = (content: string) => ({ model: 'gpt-4o', messages: [{ role: 'user' as const, content }] })
const asked = asking('Tell a story')
const streamed = { stream: true, stream_options: { include_usage: true } } as const
const textOf = ({ choices }: OpenAI.ChatCompletionChunk) => choices[0]?.delta.content ?? undefined

describeSdk('openai: chat', {
  wire: chat,
  async *stream(url, { maxRetries, signal }) {
    yield* await clientAt(url, maxRetries).chat.completions.create({ ...asked, ...streamed }, { signal })
  },
  textOf,
  ask: (url, { maxRetries, signal }) => clientAt(url, maxRetries).chat.completions.create(asked, { signal }),
})

describe('openai: helpers for chat', () => {
  const events = ['connect', 'chunk', 'content', 'content.delta', 'content.done', 'message', 'finalContent', 'abort']

  test('stream() emits its events piece by piece', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => sendStream(call, chat.stream, []),
      async ({ url, provider }) => {
        const helper = clientAt(url).chat.completions.stream({ ...asked, ...streamed })
        const heard = heardFrom(helper, [...events, 'totalUsage', 'end'])
        await readInStep(provider, chat.stream, helper, textOf)
        return { heard, completion: await helper.finalChatCompletion(), usage: await helper.totalUsage() }
      },
    )
    assert.equal(result.usage.total_tokens, 33)
  })

  test('stream() can be aborted', async (t) => {
    const { app } = await bothWays(
      t,
      (call) => sendStream(call, chat.stream, beginning(chat.stream)),
      async ({ url, provider }) => {
        const helper = clientAt(url).chat.completions.stream({ ...asked, ...streamed })
        const heard = heardFrom(helper, [...events, 'error', 'end'])
        const reader = new Reader(helper, textOf)
        await reader.nextText()
        helper.abort()
        const outcome = await outcomeOf(() => helper.done())
        await (await provider.next()).gone
        return { heard, outcome, read: await outcomeOf(() => reader.rest()) }
      },
    )
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  for (const stream of [false, true]) {
    test(`runTools() calls the tool, ${stream ? 'streamed' : 'not streamed'}`, async (t) => {
      const { name, description, schema: parameters, run } = weather
      const tools = [zodFunction({ name, description, parameters, function: run })]
      const result = await mockedBothWays(t, async (url) => {
        const { completions } = clientAt(url).chat
        const helper = stream
          ? completions.runTools({ ...asking(aboutWeather.question), ...streamed, tools })
          : completions.runTools({ ...asking(aboutWeather.question), tools })
        const heard = heardFrom(helper, ['message', 'functionToolCall', 'functionToolCallResult', 'finalContent'])
        return { content: await helper.finalContent(), heard, messages: helper.messages }
      })
      assert.equal(result.content, aboutWeather.last)
      assert.ok(result.heard.some((said) => (said as unknown[]).includes(aboutWeather.result)))
    })
  }

  test('parse() returns an object of the schema', async (t) => {
    const { message } = await mockedBothWays(t, async (url) => {
      const response_format = zodResponseFormat(weather.schema, 'city')
      const { choices } = await clientAt(url).chat.completions.parse({
        ...asking(aboutObject.question),
        response_format,
      })
      return choices[0]!
    })
    assert.deepEqual(message.parsed, aboutObject.answer)
  })

  test('withResponse() has the head of the answer', async (t) => {
    const told = { 'openai-processing-ms': '12', 'x-ratelimit-remaining-requests': '7' }
    const ids: unknown[] = []
    const { app } = await bothWays(
      t,
      (call) => call.json(200, chat.answer, { ...told, 'x-request-id': 'req-1' }),
      async ({ url }) => {
        const { response, request_id } = await clientAt(url).chat.completions.create(asked).withResponse()
        const names = ['content-type', ...Object.keys(told)]
        const header = (name: string) => response.headers.get(name)
        ids.push(request_id)
        return {
          status: response.status,
          request_id: providersRequestId(header, request_id),
          headers: names.map(header),
        }
      },
    )
    const { id, providerRequestId } = await app.record()
    assert.deepEqual([...ids, providerRequestId], ['req-1', id, 'req-1'])
  })

  for (const [word, status, tries] of [
    ['true', 400, 2],
    ['false', 503, 1],
  ] as const) {
    test(`the provider's x-should-retry: ${word} reaches the SDK`, async (t) => {
      const { app } = await bothWays(
        t,
        (call) => call.json(status, chat.refusal, { 'x-should-retry': word, 'retry-after-ms': '1' }),
        ({ url }) => thrownBy(() => clientAt(url, 1).chat.completions.create(asked)),
      )
      assert.equal(app.records.length, tries)
    })
  }
})
