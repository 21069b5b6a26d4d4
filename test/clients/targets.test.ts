import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import type { Call } from '../e2e/support/provider.js'
import { sendStream, streams, type WireStream, written } from '../e2e/support/streams.js'
import { startPair } from '../e2e/support/targets.js'
import { cannotRun } from './needs.js'

interface Client {
  readonly name: string
  readonly skip: string | false
  readonly wire: WireStream
  /** What the provider says in its error. */
  errorOf(message: string): object
  /** An error as an event of a stream. */
  readonly errorEvent: string
  /** The text of a stream, read with the SDK, which does not retry. */
  read(url: string): Promise<string>
}

const model = 'model-of-the-test'
const messages = [{ role: 'user' as const, content: 'Tell a story' }]
const event = (data: unknown, name?: string) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`
const openaiError = (message: string) => ({ error: { message, type: 'server_error', param: null, code: 'said_so' } })
const anthropicError = (message: string) => ({ type: 'error', error: { type: 'overloaded_error', message } })
const geminiError = (message: string) => ({ error: { code: 503, message, status: 'UNAVAILABLE' } })

const clients: readonly Client[] = [
  {
    name: 'openai, chat completions',
    skip: cannotRun('openai'),
    wire: streams.chat,
    errorOf: openaiError,
    errorEvent: event(openaiError('Overloaded')),
    async read(url) {
      const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 })
      let text = ''
      const stream = await openai.chat.completions.create({ model, messages, stream: true })
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      return text
    },
  },
  {
    name: 'openai, responses',
    skip: cannotRun('openai'),
    wire: streams.responses,
    errorOf: openaiError,
    errorEvent: event({ type: 'error', code: 'insufficient_quota', message: 'Quota', sequence_number: 1 }, 'error'),
    async read(url) {
      const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 })
      let text = ''
      const stream = await openai.responses.create({ model, input: 'Tell a story', stream: true })
      for await (const each of stream) if (each.type === 'response.output_text.delta') text += each.delta
      return text
    },
  },
  {
    name: '@anthropic-ai/sdk',
    skip: cannotRun('@anthropic-ai/sdk'),
    wire: streams.anthropic,
    errorOf: anthropicError,
    errorEvent: event(anthropicError('Overloaded'), 'error'),
    async read(url) {
      const anthropic = new Anthropic({ baseURL: url, apiKey: 'unused', maxRetries: 0 })
      return anthropic.messages.stream({ model, max_tokens: 99, messages }).finalText()
    },
  },
  {
    name: '@google/genai',
    skip: cannotRun('@google/genai'),
    wire: streams.geminiSse,
    errorOf: geminiError,
    errorEvent: event(geminiError('Overloaded')),
    async read(url) {
      const google = new GoogleGenAI({ apiKey: 'unused', httpOptions: { baseUrl: url } })
      let text = ''
      for await (const chunk of await google.models.generateContentStream({ model, contents: 'Tell a story' })) {
        text += chunk.text ?? ''
      }
      return text
    },
  },
]

type Act = (call: Call, client: Client) => unknown

/** The ways in which the first target fails. */
const failures: Readonly<Record<string, Act>> = {
  'resets the connection': (call) => call.reset(),
  ...Object.fromEntries(
    [401, 402, 403, 408, 429, 500, 502, 503, 504, 529].map((status): [string, Act] => [
      `answers ${status}`,
      (call, { errorOf }) => call.json(status, errorOf('not now')),
    ]),
  ),
  'answers with a page of a gateway': ({ res }) =>
    res.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad</h1>'),
  'is silent': () => {},
  'sends an error event first': (call, { wire, errorEvent }) => sendStream(call, wire, [Buffer.from(errorEvent)]).end(),
  'ends its stream before it has begun': (call, { wire }) => sendStream(call, wire, []).end(),
  'breaks off before it has written': (call, { wire }) =>
    sendStream(call, wire, []).res.write(': ping\n\n', () => call.reset()),
}

/** As far as the protocol has events without content. */
const afterABeginning: Readonly<Record<string, Act>> = {
  'sends an error event after its beginning': (call, { wire, errorEvent }) =>
    sendStream(call, wire, [wire.frames[0]!, Buffer.from(errorEvent)]).end(),
  'ends its stream after its beginning': (call, { wire }) => sendStream(call, wire, wire.frames.slice(0, 1)).end(),
}

for (const client of clients) {
  const { name, skip, wire, errorOf, read } = client
  const answers = (call: Call) => sendStream(call, wire, wire.frames).end()

  describe(`${name}, without retries of its own`, { skip, concurrency: true }, () => {
    const all = wire === streams.geminiSse ? failures : { ...failures, ...afterABeginning }
    for (const [what, fail] of Object.entries(all)) {
      test(`gets the answer of the second target if the first one ${what}`, async (t) => {
        const { app } = await startPair(t, (call) => fail(call, client), answers, {
          limits: { firstByteTimeoutMs: what === 'is silent' ? 1000 : 10_000 },
          retry: { attempts: what === 'is silent' ? 2 : 3 },
        })
        assert.equal(await read(app.url), written)
        const record = await app.record()
        assert.deepEqual([record.outcome, record.target], ['completed', 'b'])
      })
    }

    test('throws the error of the first target if both fail', async (t) => {
      const headers = { 'request-id': 'req_first', 'x-request-id': 'req_first' }
      const { app } = await startPair(
        t,
        (call) => call.json(503, errorOf('the first says'), headers),
        (call) => call.json(500, errorOf('the second says')),
      )
      await assert.rejects(read(app.url), (error: Error & { status?: number; code?: unknown; requestID?: unknown }) => {
        assert.equal(error.status, 503)
        assert.match(error.message, /the first says/)
        assert.doesNotMatch(error.message, /the second says/)
        if (error instanceof OpenAI.APIError) assert.equal(error.code, 'said_so')
        if (error instanceof Anthropic.APIError) assert.equal(error.requestID, 'req_first')
        return true
      })
      assert.equal((await app.record()).target, 'a')
    })
  })
}
