import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { piecesOf } from '../support/bytes.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { startProvider } from './support/provider.js'

const picture = (bytes: number) => ({
  candidates: [{ content: { parts: [{ inlineData: { data: 'x'.repeat(bytes) } }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1290, totalTokenCount: 1293 },
})
const sseOf = (...values: unknown[]) => values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('')
const path = '/v1beta/models/m:streamGenerateContent?alt=sse'

const ways = [
  ['as it comes', 'text/event-stream', {}],
  ['with a key to keep', 'text/event-stream', { auth: { headers: { 'x-goog-api-key': 'key-of-the-provider' } } }],
  ['of a stream without a label', undefined, {}],
  ['to a hook', 'text/event-stream', { onEvent: () => undefined }],
] as const

describe('an event of many megabytes', () => {
  for (const [name, contentType, options] of ways) {
    test(`reaches the client whole, and is metered: ${name}`, async (t) => {
      const body = Buffer.from(sseOf(picture(10), picture(9_000_000), { candidates: [] }))
      const provider = await startProvider(t, {
        onCall: (call) => {
          call.res.writeHead(200, contentType ? { 'content-type': contentType } : {})
          for (const piece of piecesOf(body, 100_000)) call.send(piece)
          call.end()
        },
      })
      const app = await startApp(t, { target: provider.url, ...options })
      const response = await post(app.url + path, { contents: [] })
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(body))
      const { outcome, events, usage, finishReason } = await app.record()
      assert.deepEqual(
        { outcome, events, usage, finishReason },
        {
          outcome: 'completed',
          events: 3,
          usage: { inputTokens: 3, outputTokens: 1290, totalTokens: 1293, estimated: false },
          finishReason: 'STOP',
        },
      )
    })
  }

  for (const [name, contentType, options] of ways) {
    for (const [what, missing, passes] of [
      ['without its blank line reaches the client, with one', 2, true],
      ['that is cut does not reach the client', 20, false],
    ] as const) {
      test(`at the end of a stream, ${what}: ${name}`, async (t) => {
        const begun = sseOf({ candidates: [{ content: { parts: [{ text: 'Once' }] } }] })
        const last = sseOf(picture(5_000_000))
        const body = Buffer.from(begun + last.slice(0, -missing))
        const provider = await startProvider(t, {
          onCall: (call) => {
            call.res.writeHead(200, contentType ? { 'content-type': contentType } : {})
            for (const piece of piecesOf(body, 100_000)) call.send(piece)
            call.end()
          },
        })
        const app = await startApp(t, { target: provider.url, ...options })
        const text = await (await post(app.url + path, { contents: [] })).text()
        const { code, finishReason } = await app.record()
        if (passes) {
          assert.ok(text === begun + last, text.slice(-100))
          assert.deepEqual([code, finishReason], [undefined, 'STOP'])
        } else {
          assert.match(text.slice(begun.length), /^data: \{"error":.{1,500}\}\n\n$/)
          assert.deepEqual([code, finishReason], ['upstream_truncated', undefined])
        }
      })
    }
  }
})
