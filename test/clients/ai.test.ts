import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LanguageModel, TextStreamPart, ToolSet } from 'ai'
import { sendStream, storyPieces } from '../e2e/support/streams.js'
import { bothWays } from './both-ways.js'
import { Reader } from './in-step.js'
import { aboutObject, aboutWeather, mockedBothWays, weather } from './mocked.js'
import { cannotRun } from './needs.js'
import { describeSdk, type How } from './sdk-suite.js'
import { beginning, chat, messages, responses, type Wire } from './wires.js'

const asked = { prompt: 'Tell a story', maxOutputTokens: 99 }
type Part = TextStreamPart<ToolSet>

async function openai(url: string) {
  const { createOpenAI } = await import('@ai-sdk/openai')
  return createOpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-client' })
}

async function anthropic(url: string) {
  const { createAnthropic } = await import('@ai-sdk/anthropic')
  return createAnthropic({ baseURL: `${url}/v1`, apiKey: 'sk-client' })
}

const models: readonly [name: string, of: string, Wire, (url: string) => Promise<LanguageModel>][] = [
  ['openai.chat', '@ai-sdk/openai', chat, async (url) => (await openai(url)).chat('gpt-4o')],
  ['openai.responses', '@ai-sdk/openai', responses, async (url) => (await openai(url)).responses('gpt-4o')],
  ['anthropic', '@ai-sdk/anthropic', messages, async (url) => (await anthropic(url))('claude-x')],
]

for (const [name, of, wire, modelAt] of models) {
  const skip = cannotRun('ai', of)

  async function* partsOf(url: string, { signal, maxRetries }: How): AsyncIterable<object> {
    const { streamText } = await import('ai')
    const { fullStream } = streamText({
      model: await modelAt(url),
      ...asked,
      maxRetries,
      abortSignal: signal,
      onError: () => {},
    })
    for await (const part of fullStream) {
      if (part.type === 'error') throw part.error
      yield steady(part)
    }
  }

  describeSdk(`ai: ${name}`, {
    skip,
    wire,
    // It reads on for those who may still ask for its other promises.
    leavesUnread: false,
    stream: partsOf,
    textOf: (part) => textOf(part as Part),
    async ask(url, { signal, maxRetries }) {
      const { generateText } = await import('ai')
      const result = await generateText({ model: await modelAt(url), ...asked, maxRetries, abortSignal: signal })
      const { text, finishReason, rawFinishReason, usage, warnings } = result
      return { text, finishReason, rawFinishReason, usage, warnings, id: result.response.id }
    },
  })

  describe(`ai: ${name}, with its helpers`, { skip }, () => {
    test('textStream yields the text, and the callbacks are called in the same order', async (t) => {
      await bothWays(
        t,
        (call) => sendStream(call, wire.stream, wire.stream.frames).end(),
        async ({ url }) => {
          const { smoothStream, streamText } = await import('ai')
          const calls: unknown[] = []
          const result = streamText({
            model: await modelAt(url),
            ...asked,
            experimental_transform: smoothStream({ delayInMs: null }),
            onChunk: ({ chunk }) => void calls.push(['onChunk', steady(chunk)]),
            onFinish: ({ text, totalUsage, finishReason }) =>
              void calls.push(['onFinish', text, totalUsage, finishReason]),
          })
          let text = ''
          for await (const piece of result.textStream) text += piece
          assert.equal(text, storyPieces.join(''))
          return { calls, usage: await result.totalUsage, reason: await result.finishReason }
        },
      )
    })

    test('an abort calls onAbort, and stops the provider', async (t) => {
      const { app } = await bothWays(
        t,
        (call) => sendStream(call, wire.stream, beginning(wire.stream)),
        async ({ url, provider }) => {
          const { streamText } = await import('ai')
          const leaving = new AbortController()
          const calls: unknown[] = []
          const { fullStream } = streamText({
            model: await modelAt(url),
            ...asked,
            abortSignal: leaving.signal,
            onAbort: ({ steps }) => void calls.push(['onAbort', steps.length]),
            onFinish: () => void calls.push('onFinish'),
          })
          const reader = new Reader<Part>(fullStream, textOf)
          await reader.nextText()
          leaving.abort()
          const types = (await reader.rest()).map(({ type }) => type)
          await (await provider.next()).gone
          return { types, calls }
        },
      )
      assert.equal((await app.record()).outcome, 'client_disconnect')
    })

    test('tools work in two steps', async (t) => {
      const result = await mockedBothWays(t, async (url) => {
        const { stepCountIs, streamText, tool } = await import('ai')
        const { description, schema: inputSchema, run: execute } = weather
        const { fullStream, steps } = streamText({
          model: await modelAt(url),
          ...asked,
          prompt: aboutWeather.question,
          tools: { weather: tool({ description, inputSchema, execute }) },
          stopWhen: stepCountIs(3),
        })
        const types: string[] = []
        for await (const { type } of fullStream) types.push(type)
        const told = (await steps).map(({ text, finishReason, toolCalls, toolResults, usage }) => {
          return { text, finishReason, toolCalls, toolResults, usage }
        })
        return { types, told }
      })
      assert.equal(result.told[0]?.toolResults[0]?.output, aboutWeather.result)
      assert.equal(result.told[1]?.text, aboutWeather.last)
    })

    test('streamText() returns an object of the schema', async (t) => {
      const result = await mockedBothWays(t, async (url) => {
        const { Output, streamText } = await import('ai')
        const output = Output.object({ schema: weather.schema })
        const { partialOutputStream, output: whole } = streamText({
          model: await modelAt(url),
          ...asked,
          prompt: aboutObject.question,
          output,
        })
        const partial: unknown[] = []
        for await (const each of partialOutputStream) partial.push(each)
        return { partial, whole: await whole }
      })
      assert.deepEqual(result.whole, aboutObject.answer)
    })
  })
}

function textOf(part: Part): string | undefined {
  return part.type === 'text-delta' ? part.text : undefined
}

/** A part without what is drawn anew for each answer; version 7 also tells its server and its timings. */
function steady(part: Part): object {
  if (part.type === 'start-step') {
    const { url: _, ...request } = part.request as { url?: string }
    return { ...part, request }
  }
  if (part.type === 'finish-step') {
    const { performance: _, response, ...told } = part as typeof part & { performance?: object }
    return { ...told, response: { id: response.id, modelId: response.modelId } }
  }
  return part
}
