import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AIMessageChunk } from '@langchain/core/messages' with { 'resolution-mode': 'import' }
import { aboutObject, aboutWeather, mockedBothWays, weather } from './mocked.js'
import { cannotRun } from './needs.js'
import { describeSdk } from './sdk-suite.js'
import { chat, responses } from './wires.js'

const skip = cannotRun('@langchain/core', '@langchain/openai')
const question = 'Tell a story'

async function modelAt(url: string, { useResponsesApi = false, maxRetries = 0 } = {}) {
  const { ChatOpenAI } = await import('@langchain/openai')
  return new ChatOpenAI({
    model: 'gpt-4o',
    apiKey: 'sk-client',
    configuration: { baseURL: `${url}/v1` },
    maxRetries,
    useResponsesApi,
  })
}

for (const [name, wire, useResponsesApi] of [
  ['chat', chat, false],
  ['responses', responses, true],
] as const) {
  describeSdk<AIMessageChunk>(`@langchain/openai: ${name}`, {
    skip,
    wire,
    // It waits for a second, at least.
    refusals: 1,
    // It asks for the next chunk before it gives one, and cannot be stopped while it waits.
    leavesUnread: false,
    async *stream(url, { maxRetries, signal }) {
      const model = await modelAt(url, { useResponsesApi, maxRetries })
      yield* await model.stream(question, { signal })
    },
    textOf: ({ text }) => text,
    async ask(url, { maxRetries, signal }) {
      const model = await modelAt(url, { useResponsesApi, maxRetries })
      return (await model.invoke(question, { signal })).toJSON()
    },
  })

  describe(`@langchain/openai: ${name}, with tools and schemas`, { skip }, () => {
    test('a streamed tool call and the answer to its result are read', async (t) => {
      const result = await mockedBothWays(t, async (url) => {
        const { tool } = await import('@langchain/core/tools')
        const { HumanMessage } = await import('@langchain/core/messages')
        const { concat } = await import('@langchain/core/utils/stream')
        const { name, description, schema } = weather
        const called = tool(weather.run, { name, description, schema })
        const model = (await modelAt(url, { useResponsesApi })).bindTools([called])
        const human = new HumanMessage(aboutWeather.question)
        let asked: AIMessageChunk | undefined
        for await (const chunk of await model.stream([human])) asked = asked ? concat(asked, chunk) : chunk
        const [call] = asked?.tool_calls ?? []
        assert.ok(asked && call)
        const answer = await model.invoke([human, asked, await called.invoke({ ...call, type: 'tool_call' })])
        return { call, text: answer.text, usage: [asked.usage_metadata, answer.usage_metadata] }
      })
      assert.equal(result.text, aboutWeather.last)
    })

    test('withStructuredOutput() returns an object of the schema', async (t) => {
      const result = await mockedBothWays(t, async (url) =>
        (await modelAt(url, { useResponsesApi }))
          .withStructuredOutput(weather.schema, { name: 'city', method: 'jsonSchema' })
          .invoke(aboutObject.question),
      )
      assert.deepEqual(result, aboutObject.answer)
    })
  })
}

test('@langchain/openai: embeddings are read', { skip }, async (t) => {
  const result = await mockedBothWays(t, async (url) => {
    const { OpenAIEmbeddings } = await import('@langchain/openai')
    const more = { encodingFormat: 'float', maxRetries: 0 } as const
    const client = new OpenAIEmbeddings({ ...more, apiKey: 'sk-client', configuration: { baseURL: `${url}/v1` } })
    return client.embedQuery('Hi')
  })
  assert.deepEqual(result, [0.25, -0.5, 1])
})
