import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type FormatName, getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { type Framing, jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { StreamMeter, type StreamMeterOptions } from '../../lib/metering/stream-meter.js'
import { piecesOf } from '../support/bytes.js'
import { chunk, DONE, event, usageEvent } from './passing.js'

const MIB = 1024 * 1024
const LONG = 'x'.repeat(MIB)
const OPTIONS = { sent: { bytes: 0 }, hidesUsage: false, estimateTokens: undefined, onMessage: undefined }

/** Takes a body through a framer and a passage as a pump does, 64 KiB a turn. */
function carried(format: FormatName, framing: Framing, body: Buffer, options: Partial<StreamMeterOptions> = {}) {
  const accumulator = new UsageAccumulator()
  const read = mock.fn(framing.read)
  const passage = new StreamMeter(getFormat(format), { ...framing, read }, accumulator, { ...OPTIONS, ...options })
  const framer = framing.createFramer(Number.POSITIVE_INFINITY)
  const out: Buffer[] = []
  const pass = (frames: Buffer | undefined) => {
    if (!frames) return
    const seen = passage.pass(frames, framer.ends, 1, framer.prefix)
    out.push(...passage.prefix, ...(seen ? [seen] : []))
    passage.readDeferred(1)
  }
  for (const piece of piecesOf(body, 64 * 1024)) {
    pass(framer.push([piece]))
    if (framer.unfinished!.length > 0) passage.scanUnfinished(framer.unfinished!)
  }
  pass(framer.end())
  passage.finish(1)
  const longestRead = Math.max(0, ...read.mock.calls.map(({ arguments: [frame] }) => frame.length))
  return { out: Buffer.concat(out), accumulator, longestRead }
}

describe('an event of megabytes', () => {
  const completed = {
    type: 'response.completed',
    response: {
      ...{ id: 'r1', model: 'gpt-5', status: 'completed', instructions: LONG },
      output: Array.from({ length: 2000 }, (_, at) => ({
        id: `m${at}`,
        content: [{ type: 'output_text', text: 'x' }],
      })),
      usage: { input_tokens: 3, output_tokens: 2000, total_tokens: 2003 },
    },
  }
  const picture = {
    candidates: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data: LONG } }] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1290, totalTokenCount: 1293 },
    modelVersion: 'gemini-3',
  }
  const cases: [name: string, format: FormatName, framing: Framing, body: Buffer, told: unknown[]][] = [
    [
      'Responses, all of the answer again',
      'openai-responses',
      sse,
      Buffer.from(event(completed)),
      [2000, 'completed', 'gpt-5'],
    ],
    ['Gemini, a picture', 'gemini', sse, Buffer.from(event(picture)), [1290, 'STOP', 'gemini-3']],
    [
      'Gemini, a picture in an array',
      'gemini',
      jsonArray,
      Buffer.from(JSON.stringify([picture])),
      [1290, 'STOP', 'gemini-3'],
    ],
    [
      'Ollama, the last line',
      'ollama-generate',
      ndjson,
      Buffer.from(`${JSON.stringify({ model: 'm', context: LONG, done_reason: 'stop', done: true, eval_count: 7 })}\n`),
      [7, 'stop', 'm'],
    ],
    [
      'Bedrock converse',
      'bedrock-converse',
      awsEventStream,
      awsEventStream.write({ event: 'metadata', data: JSON.stringify({ trace: LONG, usage: { outputTokens: 9 } }) }),
      [9, undefined, undefined],
    ],
  ]
  for (const [name, format, framing, body, told] of cases) {
    test(`${name}: passes unchanged, is reported, and is not read whole`, () => {
      const { out, accumulator, longestRead } = carried(format, framing, body)
      assert.ok(out.equals(body))
      assert.deepEqual([accumulator.usage?.outputTokens, accumulator.finishReason, accumulator.model], told)
      assert.ok(longestRead < 300_000, `${longestRead} bytes`)
    })
  }

  test('may report an error', () => {
    const body = Buffer.from(event({ error: { message: 'No', trace: LONG } }))
    assert.equal(carried('openai-chat', sse, body).accumulator.error, 'No')
  })

  test('may be among others, which are read as usual', () => {
    const others = [chunk('One'), usageEvent(5), DONE]
    const body = Buffer.from(others[0] + event({ logs: LONG }) + others[1] + others[2])
    const { out, accumulator } = carried('openai-chat', sse, body, { hidesUsage: true })
    assert.equal(String(out), others[0] + event({ logs: LONG }) + others[2])
    assert.deepEqual([accumulator.usage?.outputTokens, accumulator.model], [5, 'gpt-5-2026'])
  })

  test('loses a byte order mark after a heartbeat', () => {
    const body = Buffer.from(`\uFEFF${event({ logs: LONG })}`)
    assert.ok(carried('openai-chat', sse, body).out.equals(body))
    assert.ok(carried('openai-chat', sse, body, { sent: { bytes: 1 } }).out.equals(body.subarray(3)))
  })

  test('reaches the app’s hook whole', () => {
    const seen: unknown[] = []
    const body = Buffer.from(event({ logs: LONG }) + event({ a: 1 }))
    const { out } = carried('openai-chat', sse, body, { onMessage: (_, data) => void seen.push(data) })
    assert.deepEqual(seen, [{ logs: LONG }, { a: 1 }])
    assert.ok(out.equals(body))
  })

  test('that is all structure is not read', () => {
    for (const data of [
      `{"a":${'['.repeat(MIB)}${']'.repeat(MIB)}}`,
      `{"a":[${'{},'.repeat(MIB)}{}]}`,
      `{"a":[${'[],'.repeat(MIB)}[]]}`,
    ]) {
      const body = Buffer.from(event(data.replace('{"a"', '{"usage":{"completion_tokens":4},"a"')))
      const { out, accumulator, longestRead } = carried('openai-chat', sse, body)
      assert.ok(out.equals(body))
      assert.equal(accumulator.usage?.outputTokens, 4)
      assert.equal(longestRead, 0)
    }
  })

  test('of 100 KiB is not read either if it takes as long to parse', () => {
    const body = Buffer.from(event(`{"usage":{"completion_tokens":4},"a":[${'[],'.repeat(30_000)}[]]}`))
    const { accumulator, longestRead } = carried('openai-chat', sse, body)
    assert.equal(accumulator.usage?.outputTokens, 4)
    assert.equal(longestRead, 0)
  })
})
