import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resumableIn } from '../../lib/client/resumable-in.js'
import { cannotRun } from '../clients/needs.js'
import { chat, messages, responses, type Wire } from '../clients/wires.js'
import { sseEvent, storyPieces } from '../e2e/support/streams.js'
import { FakeServer, ORIGIN } from './fake-server.js'
import { ManualEnvironment } from './manual-environment.js'

type Fetch = typeof globalThis.fetch
const baseURL = `${ORIGIN}/ai/v1`
const asked = [{ role: 'user' as const, content: 'Tell a story' }]

/** The protocol between the AI SDK's server and its hooks. */
const uiFrames = [
  { type: 'start', messageId: 'm1' },
  { type: 'text-start', id: 't1' },
  ...storyPieces.map((delta) => ({ type: 'text-delta', id: 't1', delta })),
  { type: 'text-end', id: 't1' },
  { type: 'finish' },
].map((part) => sseEvent(part))

interface Sdk {
  readonly name: string
  readonly packages: readonly string[]
  readonly frames: readonly Buffer[]
  /** Asks for a stream. @returns its events as the SDK has them */
  ask(fetch: Fetch, signal?: AbortSignal): AsyncIterable<unknown>
}

const of = (wire: Wire) => wire.stream.frames

async function openai(fetch: Fetch) {
  const { OpenAI } = await import('openai')
  return new OpenAI({ baseURL, apiKey: 'sk-client', fetch, maxRetries: 0 })
}

const sdks: readonly Sdk[] = [
  {
    name: 'openai: chat.completions',
    packages: ['openai'],
    frames: of(chat),
    async *ask(fetch, signal) {
      const { chat } = await openai(fetch)
      yield* await chat.completions.create({ model: 'm', messages: asked, stream: true }, { signal })
    },
  },
  {
    name: 'openai: responses',
    packages: ['openai'],
    frames: of(responses),
    async *ask(fetch, signal) {
      const { responses } = await openai(fetch)
      yield* await responses.create({ model: 'm', input: 'Tell a story', stream: true }, { signal })
    },
  },
  {
    name: '@anthropic-ai/sdk: messages',
    packages: ['@anthropic-ai/sdk'],
    frames: of(messages),
    async *ask(fetch, signal) {
      const { Anthropic } = await import('@anthropic-ai/sdk')
      const client = new Anthropic({ baseURL: `${ORIGIN}/ai`, apiKey: 'sk-client', fetch, maxRetries: 0 })
      yield* client.messages.stream({ model: 'm', max_tokens: 99, messages: asked }, { signal })
    },
  },
  {
    name: 'ai: streamText',
    packages: ['ai', '@ai-sdk/openai'],
    frames: of(chat),
    async *ask(fetch, signal) {
      const { streamText } = await import('ai')
      const { createOpenAI } = await import('@ai-sdk/openai')
      const model = createOpenAI({ baseURL, apiKey: 'sk-client', fetch }).chat('m')
      const { textStream } = streamText({ model, prompt: 'Tell a story', maxRetries: 0, abortSignal: signal })
      yield* textStream
    },
  },
  {
    name: "ai: DefaultChatTransport, useChat's",
    packages: ['ai'],
    frames: [...uiFrames, Buffer.from('data: [DONE]\n\n')],
    async *ask(fetch, signal) {
      const { DefaultChatTransport } = await import('ai')
      const transport = new DefaultChatTransport({ api: `${ORIGIN}/ai/chat`, fetch, credentials: 'include' })
      const message = { id: 'u1', role: 'user' as const, parts: [{ type: 'text' as const, text: 'Tell a story' }] }
      yield* (await transport.sendMessages({
        ...{ trigger: 'submit-message', chatId: 'c1', messageId: undefined, messages: [message] },
        abortSignal: signal,
      })) as unknown as AsyncIterable<unknown>
    },
  },
]

function wrapped(server: FakeServer): Fetch {
  return resumableIn(new ManualEnvironment(), server.fetch, {})
}

async function all(events: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = []
  for await (const event of events) list.push(event)
  return list
}

for (const { name, packages, frames, ask } of sdks) {
  describe(name, { skip: cannotRun(...packages) }, () => {
    test('gets the same events whether connections break or not', async () => {
      const expected = await all(ask(new FakeServer({ events: frames }).fetch))
      assert.ok(JSON.stringify(expected).includes(storyPieces[0]!) && expected.length >= storyPieces.length)
      const largest = Math.max(...frames.map((frame) => frame.length)) + 'id: k1.99\n'.length
      for (const more of [0, 5, 17, 60]) {
        const server = new FakeServer({ events: frames })
        server.chunks = [more + 1]
        // Each connection brings an event at least.
        for (const _ of frames) server.cuts.push({ after: largest + more, how: 'error' })
        assert.deepEqual(await all(ask(wrapped(server))), expected, `cut every ${largest + more} bytes`)
        assert.ok(server.resumed.length >= 2, `${server.resumed.length} continuations`)
        const keys = new Set(
          server.requests.map(({ headers }) => headers.get('authorization') ?? headers.get('x-api-key')),
        )
        assert.equal(keys.size, 1)
      }
    })

    test('stops the provider if its signal is aborted', async () => {
      const server = new FakeServer({ events: frames })
      server.chunks = [200]
      // Some read faster than their readers.
      server.staysOpen = true
      const user = new AbortController()
      try {
        for await (const _ of ask(wrapped(server), user.signal)) user.abort()
      } catch (error) {
        // Some throw, others end.
        assert.match(String(error), /abort/i)
      }
      await server.stopped
      assert.equal(server.requests.at(-1)!.method, 'DELETE')
    })
  })
}
