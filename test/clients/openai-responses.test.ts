import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI from 'openai'
import { zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod'
import { sendStream, storyPieces } from '../e2e/support/streams.js'
import { bothWays } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { heardFrom } from './listening.js'
import { aboutObject, aboutWeather, mockedBothWays, weather } from './mocked.js'
import { describeSdk } from './sdk-suite.js'
import { outcomeOf } from './thrown.js'
import { beginning, responses } from './wires.js'

const clientAt = (url: string, maxRetries = 0) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-client', maxRetries })
const asked = { model: 'gpt-4o', input: 'Tell a story' }
const textOf = (event: { readonly type: string; readonly delta?: unknown }) =>
  event.type === 'response.output_text.delta' ? String(event.delta) : undefined

describeSdk('openai: responses', {
  wire: responses,
  async *stream(url, { maxRetries, signal }) {
    yield* await clientAt(url, maxRetries).responses.create({ ...asked, stream: true }, { signal })
  },
  textOf,
  ask: (url, { maxRetries, signal }) => clientAt(url, maxRetries).responses.create(asked, { signal }),
})

describe('openai: helpers for responses', () => {
  test('stream() emits its events piece by piece', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => sendStream(call, responses.stream, []),
      async ({ url, provider }) => {
        const helper = clientAt(url).responses.stream(asked)
        const heard = heardFrom(helper, ['event', 'response.output_text.delta', 'response.completed', 'end'])
        await readInStep(provider, responses.stream, helper, textOf)
        return { heard, response: await helper.finalResponse() }
      },
    )
    assert.equal(result.response.output_text, storyPieces.join(''))
    assert.equal(result.response.usage?.total_tokens, 30)
  })

  test('stream() can be aborted', async (t) => {
    const { app } = await bothWays(
      t,
      (call) => sendStream(call, responses.stream, beginning(responses.stream)),
      async ({ url, provider }) => {
        const helper = clientAt(url).responses.stream(asked)
        const heard = heardFrom(helper, ['event', 'abort', 'error', 'end'])
        await new Reader(helper, textOf).nextText()
        helper.abort()
        const outcome = await outcomeOf(() => helper.done())
        await (await provider.next()).gone
        return { heard, outcome }
      },
    )
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  test('a tool call and the answer to its result are read', async (t) => {
    const { name, description, schema: parameters } = weather
    const tools = [zodResponsesFunction({ name, description, parameters })]
    const result = await mockedBothWays(t, async (url) => {
      const client = clientAt(url)
      const question = { role: 'user' as const, content: aboutWeather.question }
      const first = await client.responses.stream({ ...asked, input: [question], tools }).finalResponse()
      const call = first.output.find((item) => item.type === 'function_call')
      assert.ok(call?.type === 'function_call')
      const output = weather.run(call.parsed_arguments)
      const input = [question, call, { type: 'function_call_output' as const, call_id: call.call_id, output }]
      return [first, await client.responses.create({ ...asked, input, tools })] as const
    })
    assert.equal(result[1].output_text, aboutWeather.last)
  })

  test('parse() returns an object of the schema', async (t) => {
    const result = await mockedBothWays(t, (url) =>
      clientAt(url).responses.parse({
        ...asked,
        input: aboutObject.question,
        text: { format: zodTextFormat(weather.schema, 'city') },
      }),
    )
    assert.deepEqual(result.output_parsed, aboutObject.answer)
  })
})
