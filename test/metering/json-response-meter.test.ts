import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { JsonResponseMeter } from '../../lib/metering/json-response-meter.js'
import { cutAt, piecesOf } from '../support/bytes.js'

const KIB = 1024

/** What is found in an answer that comes in these chunks. */
function foundIn(chunks: readonly Buffer[], format: FormatName = 'openai-chat'): UsageAccumulator {
  const accumulator = new UsageAccumulator()
  const answer = new JsonResponseMeter(getFormat(format), accumulator)
  for (const chunk of chunks) assert.equal(answer.pass(chunk), chunk, 'it passes as it is')
  answer.finish(7)
  return accumulator
}

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value))

const completion = {
  id: 'c1',
  model: 'gpt-5-2026',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
}
const usage = { inputTokens: 9, outputTokens: 2, totalTokens: 11 }

describe('a JSON answer', () => {
  test('is read once it is complete, not before', () => {
    const accumulator = new UsageAccumulator()
    const answer = new JsonResponseMeter(getFormat('openai-chat'), accumulator)
    answer.pass(bytesOf(completion))
    assert.equal(accumulator.usage, undefined)
    answer.finish(0)
    const { model, responseId, finishReason } = accumulator
    assert.deepEqual([model, responseId, finishReason], ['gpt-5-2026', 'c1', 'stop'])
    assert.deepEqual(accumulator.usage, usage)
    assert.deepEqual(accumulator.usageAt(true), { ...usage, estimated: false })
  })

  test('may begin with a byte order mark', () => {
    const marked = Buffer.from(`\uFEFF${JSON.stringify(completion)}`)
    for (const step of [1 << 20, 2]) assert.deepEqual(foundIn(piecesOf(marked, step)).usage, usage)
    assert.equal(foundIn([Buffer.from('\uFEFF{"error":{"message":"Overloaded"}}')]).error, 'Overloaded')
  })

  test('has no first token, because it comes all at once', () => {
    const { firstTokenAt, estimatedTokens } = foundIn([bytesOf(completion)])
    assert.deepEqual([firstTokenAt, estimatedTokens], [undefined, 0])
  })

  test('may be split into any chunks, even within a character', () => {
    const bytes = bytesOf({ ...completion, model: 'größe-漢字' })
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (places) => {
        const accumulator = foundIn(cutAt(bytes, places))
        assert.deepEqual([accumulator.model, accumulator.usage], ['größe-漢字', usage])
      }),
    )
  })

  test('may report an error', () => {
    assert.equal(foundIn([bytesOf({ error: { message: 'Overloaded' } })]).error, 'Overloaded')
  })

  test('may report a total alone, which includes its text', () => {
    const content = 'An answer of some words, whose tokens the total includes'
    const answer = { ...completion, choices: [{ index: 0, message: { content } }], usage: { total_tokens: 50 } }
    const { inputTokens = 0, outputTokens = 0, totalTokens, estimated } = foundIn([bytesOf(answer)]).usageAt(true)!
    assert.ok(outputTokens > 8)
    assert.deepEqual([inputTokens + outputTokens, totalTokens, estimated], [50, 50, true])
  })

  test('is read once', () => {
    const accumulator = new UsageAccumulator()
    const answer = new JsonResponseMeter(getFormat('openai-chat'), accumulator)
    answer.pass(bytesOf(completion))
    answer.finish(0)
    accumulator.usage = undefined
    answer.finish(0)
    assert.equal(accumulator.usage, undefined)
  })

  test('is not read again if it was read before it passes, unless other bytes pass', () => {
    const inspected = new JsonResponseMeter(getFormat('openai-chat'), new UsageAccumulator())
    const bytes = bytesOf(completion)
    inspected.pass(bytes)
    inspected.finish(0)
    const known = inspected.result
    assert.deepEqual([known?.bytes, known?.reading?.usage], [bytes.length, usage])
    for (const [passed, model] of [
      [Buffer.alloc(bytes.length, ' '), 'gpt-5-2026'],
      [bytesOf({ ...completion, model: 'another' }), 'another'],
    ] as const) {
      const accumulator = new UsageAccumulator()
      const meter = new JsonResponseMeter(getFormat('openai-chat'), accumulator, { known })
      meter.pass(passed)
      meter.finish(0)
      assert.deepEqual([accumulator.model, accumulator.usage], [model, usage])
    }
  })

  for (const [name, chunks] of [
    ['nothing', []],
    ['no bytes', [Buffer.alloc(0)]],
    ['no JSON', [Buffer.from('Once')]],
    ['bytes that are not text', [Buffer.from([0xff, 0xfe, 0])]],
    ['a list', [bytesOf([completion])]],
    ['null', [Buffer.from('null')]],
    ['a string', [Buffer.from('"usage"')]],
    ['a large one that is not an object', [Buffer.from(`[${'1,'.repeat(150 * KIB)}1]`)]],
  ] as const) {
    test(`that is ${name} reports nothing, and throws nothing`, () => {
      assert.deepEqual({ ...foundIn(chunks) }, { ...new UsageAccumulator() })
    })
  }

  const large = Buffer.from(JSON.stringify([{ ...completion, more: 'x]}"'.repeat(80 * KIB) }]))
  for (const [name, bytes, whole] of [
    ['an object', bytesOf(completion).subarray(0, 50), bytesOf(completion)],
    ['an object, in a string', Buffer.from('{"id":"c\\"}'), Buffer.from('{"id":"c\\\\"}')],
    ['a list after a byte order mark', Buffer.from('\uFEFF[{"id":"c"}'), Buffer.from('\uFEFF[{"id":"c"}]')],
    ['a large object', large.subarray(1, -2), large.subarray(1, -1)],
    ['a large list', large.subarray(0, -1), large],
  ] as const) {
    test(`that is half of ${name} counts as truncated, unlike all of it`, () => {
      for (const step of [1 << 20, 7919]) {
        assert.deepEqual({ ...foundIn(piecesOf(bytes, step)) }, { ...new UsageAccumulator(), isTruncated: true })
        assert.equal(foundIn(piecesOf(whole, step)).isTruncated, false)
      }
    })
  }

  test('of any format may be any JSON without an exception', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...formatNames), (value, format) => {
        foundIn([bytesOf(value)], format)
      }),
    )
  })
})

describe('a large JSON answer', () => {
  const embedding = { object: 'embedding', index: 0, embedding: Array.from({ length: 100 }, () => 0.123456) }
  const embeddings = {
    object: 'list',
    data: Array.from({ length: 400 }, () => embedding),
    model: 'text-embedding-3',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  }

  test('is scanned for the relevant fields, and not parsed', (t) => {
    const bytes = bytesOf(embeddings)
    assert.ok(bytes.length > 256 * KIB)
    const parse = t.mock.method(JSON, 'parse')
    const accumulator = foundIn([bytes], 'openai-embeddings')
    assert.deepEqual([accumulator.model, accumulator.usage], ['text-embedding-3', { inputTokens: 8, totalTokens: 8 }])
    for (const { arguments: given } of parse.mock.calls) assert.ok(given[0].length < KIB)
  })

  test('of 256 KiB is parsed whole, with one byte more it is scanned', (t) => {
    const padded = (length: number) => {
      const empty = bytesOf({ ...completion, pad: '' }).length
      return bytesOf({ ...completion, pad: 'x'.repeat(length - empty) })
    }
    const parse = t.mock.method(JSON, 'parse')
    assert.equal(foundIn([padded(256 * KIB)]).finishReason, 'stop')
    assert.equal(parse.mock.callCount(), 1)
    const larger = foundIn([padded(256 * KIB + 1)])
    assert.deepEqual([larger.usage, larger.model, larger.responseId], [usage, 'gpt-5-2026', 'c1'])
    assert.equal(larger.finishReason, 'stop', 'it stands in a choice, which is looked into')
  })

  const pad = 'x'.repeat(300 * KIB)
  for (const [format, answer, expected] of [
    ['openai-chat', completion, usage],
    ['openai-completions', completion, usage],
    ['openai-responses', { usage: { input_tokens: 3, output_tokens: 4 } }, { inputTokens: 3, outputTokens: 4 }],
    ['anthropic', { usage: { input_tokens: 3, output_tokens: 4 } }, { inputTokens: 3, outputTokens: 4 }],
    [
      'gemini',
      { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } },
      { inputTokens: 3, outputTokens: 4 },
    ],
    ['bedrock-converse', { usage: { inputTokens: 3, outputTokens: 4 } }, { inputTokens: 3, outputTokens: 4 }],
    [
      'bedrock-invoke',
      { type: 'message', usage: { input_tokens: 3, output_tokens: 4 } },
      { inputTokens: 3, outputTokens: 4 },
    ],
    ['bedrock-invoke', { prompt_token_count: 3, generation_token_count: 4 }, { inputTokens: 3, outputTokens: 4 }],
    ['ollama-chat', { prompt_eval_count: 3, eval_count: 4, done: true }, { inputTokens: 3, outputTokens: 4 }],
    ['ollama-generate', { prompt_eval_count: 3, eval_count: 4 }, { inputTokens: 3, outputTokens: 4 }],
    ['cohere', { usage: { tokens: { input_tokens: 3, output_tokens: 4 } } }, { inputTokens: 3, outputTokens: 4 }],
  ] as const) {
    test(`reports usage in ${format}: ${JSON.stringify(answer).slice(0, 40)}…`, () => {
      assert.deepEqual(foundIn([bytesOf({ before: pad, ...answer, behind: pad })], format).usage, expected)
    })
  }

  for (const [format, answer, expected] of [
    [
      'openai-chat',
      { x_groq: { usage: { prompt_tokens: 3, completion_tokens: 4 } } },
      { usage: { inputTokens: 3, outputTokens: 4 } },
    ],
    ['openai-responses', { status: 'completed' }, { finishReason: 'completed' }],
    [
      'openai-responses',
      { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
      { finishReason: 'max_output_tokens' },
    ],
    ['gemini', { responseId: 'r1', modelVersion: 'gemini-3' }, { responseId: 'r1', model: 'gemini-3' }],
    ['bedrock-converse', { stopReason: 'end_turn' }, { finishReason: 'end_turn' }],
    ['bedrock-invoke', { inputTextTokenCount: 3 }, { usage: { inputTokens: 3 } }],
    ['ollama-chat', { done_reason: 'length' }, { finishReason: 'length' }],
    ['cohere', { finish_reason: 'MAX_TOKENS' }, { finishReason: 'MAX_TOKENS' }],
    ['cohere', { message: 'No' }, { error: 'No' }],
  ] as const) {
    test(`reports in ${format}: ${JSON.stringify(answer)}`, () => {
      const accumulator = foundIn([bytesOf({ before: pad, ...answer, behind: pad })], format)
      for (const [name, value] of Object.entries(expected))
        assert.deepEqual(accumulator[name as keyof UsageAccumulator], value)
    })
  }

  test('reports why it ended, and an error', () => {
    const accumulator = foundIn([bytesOf({ pad, stop_reason: 'max_tokens', error: { message: 'No' } })], 'anthropic')
    assert.deepEqual([accumulator.finishReason, accumulator.error], ['max_tokens', 'No'])
  })
})
