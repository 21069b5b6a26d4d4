import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { getFormat } from '../../lib/formats/index.js'
import { JsonResponseMeter } from '../../lib/metering/json-response-meter.js'
import { piecesOf } from '../support/bytes.js'

const KIB = 1024

const embedding = { object: 'embedding', index: 0, embedding: Array.from({ length: 100 }, () => 0.123456) }
const data = Array.from({ length: 20_000 }, () => embedding)
const model = 'text-embedding-3'
const usage = { prompt_tokens: 8, total_tokens: 8 }
const atTheEnd = bytesOf({ object: 'list', data, model, usage })

function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** An answer of which these chunks have passed, and what is found in it. */
function passed(chunks: readonly Buffer[]) {
  const accumulator = new UsageAccumulator()
  const answer = new JsonResponseMeter(getFormat('openai-embeddings'), accumulator)
  for (const chunk of chunks) assert.equal(answer.pass(chunk), chunk, 'it passes as it is')
  return { answer, accumulator }
}

describe('a large JSON answer in chunks, of any size', () => {
  for (const [name, bytes] of [
    ['at its end', atTheEnd],
    ['at its beginning', bytesOf({ usage, model, data })],
    ['after 17 MiB of white space', Buffer.concat([Buffer.alloc(17 * KIB * KIB, ' '), bytesOf({ model, usage })])],
  ] as const) {
    test(`reports usage ${name}`, () => {
      const { answer, accumulator } = passed(piecesOf(bytes, 64 * KIB))
      answer.finish(0)
      assert.deepEqual([accumulator.model, accumulator.usage], [model, { inputTokens: 8, totalTokens: 8 }])
    })
  }

  test('is not kept: chunks may be overwritten after they have passed', () => {
    assert.ok(atTheEnd.length > 16 * KIB * KIB)
    const { answer, accumulator } = passed([Buffer.from(atTheEnd.subarray(0, 257 * KIB))])
    const reused = Buffer.alloc(1000)
    for (let at = 257 * KIB; at < atTheEnd.length; at += reused.length) {
      answer.pass(reused.subarray(0, atTheEnd.copy(reused, 0, at)))
      reused.fill('"')
    }
    answer.finish(0)
    assert.deepEqual([accumulator.model, accumulator.usage], [model, { inputTokens: 8, totalTokens: 8 }])
  })

  test('leaves no work for the end: nothing is joined or parsed there', (t) => {
    const { answer, accumulator } = passed(piecesOf(atTheEnd, 64 * KIB))
    const concat = t.mock.method(Buffer, 'concat')
    const parse = t.mock.method(JSON, 'parse')
    answer.finish(0)
    assert.deepEqual([concat.mock.callCount(), parse.mock.callCount()], [0, 0])
    assert.deepEqual(accumulator.usage, { inputTokens: 8, totalTokens: 8 })
  })

  test('reports nothing if it broke off', () => {
    const { answer, accumulator } = passed(piecesOf(atTheEnd.subarray(0, -1), 64 * KIB))
    answer.finish(0)
    assert.deepEqual({ ...accumulator }, { ...new UsageAccumulator(), isTruncated: true })
  })
})
