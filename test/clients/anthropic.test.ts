import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import { sendStream, storyPieces } from '../e2e/support/streams.js'
import { bothWays } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { heardFrom } from './listening.js'
import { aboutObject, aboutWeather, mockedBothWays, weather } from './mocked.js'
import { describeSdk } from './sdk-suite.js'
import { outcomeOf } from './thrown.js'
import { beginning, messages } from './wires.js'

const clientAt = (baseURL: string, maxRetries = 0) => new Anthropic({ baseURL, apiKey: 'sk-client', maxRetries })
const asking = (content: string) => ({
  model: 'claude-x',
  max_tokens: 99,
  messages: [{ role: 'user' as const, content }],
})
const asked = asking('Tell a story')
const textOf = (event: Anthropic.MessageStreamEvent) =>
  event.type === 'content_block_delta' && event.delta.type === 'text_delta' ? event.delta.text : undefined

describeSdk('@anthropic-ai/sdk', {
  wire: messages,
  async *stream(url, { maxRetries, signal }) {
    yield* await clientAt(url, maxRetries).messages.create({ ...asked, stream: true }, { signal })
  },
  textOf,
  ask: (url, { maxRetries, signal }) => clientAt(url, maxRetries).messages.create(asked, { signal }),
})

describe('@anthropic-ai/sdk: helpers', () => {
  const events = ['connect', 'streamEvent', 'text', 'inputJson', 'contentBlock', 'message', 'finalMessage', 'end']

  test('stream() emits its events piece by piece', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => sendStream(call, messages.stream, []),
      async ({ url, provider }) => {
        const helper = clientAt(url).messages.stream(asked)
        const heard = heardFrom(helper, events)
        await readInStep(provider, messages.stream, helper, textOf)
        return { heard, text: await helper.finalText(), message: await helper.finalMessage() }
      },
    )
    assert.equal(result.text, storyPieces.join(''))
    assert.equal(result.message.usage.output_tokens, 19)
  })

  test('stream() can be aborted', async (t) => {
    const { app } = await bothWays(
      t,
      (call) => sendStream(call, messages.stream, beginning(messages.stream)),
      async ({ url, provider }) => {
        const helper = clientAt(url).messages.stream(asked)
        const heard = heardFrom(helper, [...events, 'abort', 'error'])
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

  test('a streamed tool call and the answer to its result are read', async (t) => {
    const { name, description } = weather
    const input_schema = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] }
    const tools = [{ name, description, input_schema }]
    const result = await mockedBothWays(t, async (url) => {
      const question = asking(aboutWeather.question)
      const helper = clientAt(url).messages.stream({ ...question, tools })
      const heard = heardFrom(helper, events)
      const { role, content } = await helper.finalMessage()
      const called = content.find((block) => block.type === 'tool_use')
      assert.ok(called?.type === 'tool_use')
      const output = weather.run(weather.schema.parse(called.input))
      const given = { type: 'tool_result' as const, tool_use_id: called.id, content: output }
      const conversation = [...question.messages, { role, content }, { role: 'user' as const, content: [given] }]
      const last = clientAt(url).messages.stream({ ...asked, messages: conversation, tools })
      return { heard, text: await last.finalText() }
    })
    assert.equal(result.text, aboutWeather.last)
    assert.ok(result.heard.some((said) => (said as unknown[])[0] === 'inputJson'))
  })

  for (const stream of [false, true]) {
    test(`beta.messages.toolRunner() calls the tool, ${stream ? 'streamed' : 'not streamed'}`, async (t) => {
      const { name, description, schema: inputSchema, run } = weather
      const given: string[] = []
      const tools = [
        betaZodTool({
          name,
          description,
          inputSchema,
          run: (input) => {
            given.push(run(input))
            return given.at(-1)!
          },
        }),
      ]
      const { content } = await mockedBothWays(t, async (url) =>
        clientAt(url)
          .beta.messages.toolRunner({ ...asking(aboutWeather.question), tools, stream })
          .runUntilDone(),
      )
      assert.deepEqual(given, [aboutWeather.result, aboutWeather.result])
      assert.ok(content[0]?.type === 'text' && content[0].text === aboutWeather.last)
    })
  }

  test('parse() returns an object of the schema', async (t) => {
    const result = await mockedBothWays(t, (url) =>
      clientAt(url).messages.parse({
        ...asking(aboutObject.question),
        output_config: { format: zodOutputFormat(weather.schema) },
      }),
    )
    assert.deepEqual(result.parsed_output, aboutObject.answer)
  })
})
