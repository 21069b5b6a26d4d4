import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordOf } from '../../lib/exchange/record-of.js'
import { chunk, DONE, stop, usageEvent } from '../metering/passing.js'
import { sendRequest } from '../support/sent-request.js'
import { completed, event, rig, SSE } from './controlling.js'

const JSON_TYPE = { 'content-type': 'application/json' }
/** Six words, each a token. */
const SIX = ' one two three four five six'
/** More events than are kept to the end. */
const MANY = chunk('word').repeat(60)

describe('the record of a stream', () => {
  test('has what the provider reported', async (t) => {
    const { res, exchange, answer, advance, run, ended } = rig(t)
    await advance(10)
    const response = await answer(SSE, chunk(''))
    await advance(30)
    response.write(chunk('Hello'))
    await run()
    await advance(500)
    response.end(stop + usageEvent(50) + DONE)
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(5))
    const { format, responseModel, responseId, finishReason, usage, firstByteMs, firstTokenMs } = recordOf(exchange)
    assert.deepEqual([format, responseModel, responseId, finishReason], ['openai-chat', 'gpt-5-2026', 'c1', 'stop'])
    assert.deepEqual(usage, { inputTokens: 9, outputTokens: 50, totalTokens: 59, estimated: false })
    assert.deepEqual([firstByteMs, firstTokenMs], [10, 40])
    assert.equal(recordOf(exchange).outputTokensPerSecond, 100)
  })

  test('has the usage event that the client did not request, and that is not sent', async (t) => {
    const { res, exchange, answer, run } = rig(t)
    sendRequest(exchange, { hidesUsage: true })
    const response = await answer(SSE, chunk('a') + stop + usageEvent(1))
    response.end(DONE)
    await run()
    res.finish()
    const { usage, downstreamBytes, upstreamBytes } = recordOf(exchange)
    assert.equal(res.body, chunk('a') + stop + DONE)
    assert.equal(usage?.outputTokens, 1)
    assert.deepEqual([downstreamBytes, upstreamBytes], [res.body.length, res.body.length + usageEvent(1).length])
  })

  test('has an estimate of the text after the last figure, even if the stream is complete', async (t) => {
    const { res, exchange, answer, run } = rig(t)
    const response = await answer(SSE, chunk('a', { usage: { completion_tokens: 5 } }) + chunk(' b') + DONE)
    response.end()
    await run()
    res.finish()
    assert.deepEqual(recordOf(exchange).usage, { outputTokens: 6, estimated: true })
  })

  test('has an estimate if the client disconnected', async (t) => {
    const { res, exchange, answer, ended } = rig(t)
    await answer(SSE, chunk('') + chunk('Hello'))
    res.destroy()
    assert.equal(ended().outcome, 'client_disconnect')
    assert.deepEqual(recordOf(exchange).usage, { outputTokens: 1, estimated: true })
  })

  test('has the reported figures if the client disconnected and the rest was drained', async (t) => {
    const { res, exchange, answer, run, ended } = rig(t, { onClientDisconnect: 'drain' })
    const response = await answer(SSE, MANY)
    res.destroy()
    response.write(MANY)
    await run()
    response.end(MANY + stop + usageEvent(50) + DONE)
    await run()
    assert.equal(ended().outcome, 'client_disconnect')
    const { usage, finishReason } = recordOf(exchange)
    assert.deepEqual(usage, { inputTokens: 9, outputTokens: 50, totalTokens: 59, estimated: false })
    assert.equal(finishReason, 'stop')
  })

  test('has an estimate if the provider broke off', async (t) => {
    const { exchange, answer, run } = rig(t)
    const response = await answer(SSE, chunk('Hello') + chunk(' world'))
    response.destroy()
    await run()
    assert.deepEqual(recordOf(exchange).usage, { outputTokens: 2, estimated: true })
  })

  test('of a JSON answer has usage, but no first token', async (t) => {
    const { res, exchange, answer, run } = rig(t)
    const usage = { prompt_tokens: 9, completion_tokens: 2 }
    const response = await answer(JSON_TYPE, '{"model":"m",')
    response.end(JSON.stringify({ usage }).slice(1))
    await run()
    res.finish()
    const record = recordOf(exchange)
    assert.deepEqual(record.usage, { inputTokens: 9, outputTokens: 2, estimated: false })
    assert.deepEqual([record.responseModel, record.firstTokenMs], ['m', undefined])
  })

  test('of a provider’s error has no usage, and the error passes unchanged', async (t) => {
    const { res, exchange, answer, run, ended } = rig(t)
    const response = await answer(JSON_TYPE, '', 429)
    response.end('{"error":{"message":"No"},"usage":{"completion_tokens":2}}')
    await run()
    res.finish()
    assert.deepEqual(ended(), { ...completed(0, 429), outcome: 'provider_error' })
    assert.equal(recordOf(exchange).usage, undefined)
  })

  test('has usage that only the headers contain', async (t) => {
    const { res, exchange, answer, run } = rig(t, { path: '/model/meta.llama/invoke' })
    const counts = { 'x-amzn-bedrock-input-token-count': '9', 'x-amzn-bedrock-output-token-count': '2' }
    const response = await answer({ ...JSON_TYPE, ...counts })
    response.end('{"outputText":"Hi"}')
    await run()
    res.finish()
    assert.deepEqual(recordOf(exchange).usage, { inputTokens: 9, outputTokens: 2, estimated: false })
  })
})

describe('maxOutputTokens', () => {
  const limits = { maxOutputTokens: 10 }

  test('exceeded by the estimate: the events so far pass, then an error, and the provider is stopped', async (t) => {
    const { res, exchange, answer, run, ended, log } = rig(t, { limits })
    const response = await answer(SSE, chunk(SIX))
    assert.equal(res.writableEnded, false)
    response.write(chunk(SIX))
    await run()
    const [first, second, said] = res.writes
    assert.deepEqual([first, second], [chunk(SIX), chunk(SIX)])
    assert.match(said!, /^data: \{"error":.*"output_tokens_exceeded".*\}\n\n$/)
    assert.equal(res.writableEnded, true)
    assert.ok(log.includes('upstream ended'))
    response.write(chunk(SIX))
    await run()
    assert.equal(res.writes.length, 3)
    res.finish()
    assert.deepEqual([ended().outcome, ended().code], ['limit_exceeded', 'output_tokens_exceeded'])
    const { limit, usage, error } = recordOf(exchange)
    assert.deepEqual([limit, usage], ['maxOutputTokens', { outputTokens: 12, estimated: true }])
    assert.match(error!, /limits\.maxOutputTokens: 10/)
  })

  test('exceeded by the reported figures', async (t) => {
    const { res, exchange, answer, ended } = rig(t, { limits })
    await answer(SSE, chunk('a', { usage: { prompt_tokens: 1, completion_tokens: 11 } }))
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
    assert.equal(ended().code, 'output_tokens_exceeded')
    assert.deepEqual(recordOf(exchange).usage, { inputTokens: 1, outputTokens: 11, estimated: true })
  })

  test('exceeded by reasoning that is reported in addition to the output', async (t) => {
    const { res, answer } = rig(t, { limits })
    const completion_tokens_details = { reasoning_tokens: 9 }
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 12, completion_tokens_details }
    await answer(SSE, chunk('a', { usage }))
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
  })

  test("exceeded by the app's estimate", async (t) => {
    const { res, answer, run } = rig(t, { limits, estimateTokens: ({ text }) => text.length })
    const response = await answer(SSE, chunk('0123456789'))
    assert.equal(res.writableEnded, false)
    response.write(chunk('a'))
    await run()
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
  })

  test('allows exactly that many tokens', async (t) => {
    const { res, answer, run, ended } = rig(t, { limits })
    const response = await answer(SSE, chunk(SIX) + chunk('x'.repeat(16)))
    response.end(stop + usageEvent(10) + DONE)
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(5))
  })

  test('has no effect on a stream that exceeds it with its end', async (t) => {
    const { res, answer, run, ended } = rig(t, { limits })
    const response = await answer(SSE, chunk('a') + stop + usageEvent(99) + DONE)
    assert.doesNotMatch(res.body, /exceeded/)
    response.end()
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(4))
  })

  test('is reported in Anthropic’s format to an Anthropic client', async (t) => {
    const { res, answer } = rig(t, { limits, path: '/v1/messages' })
    const delta = (text: string) => event(JSON.stringify({ type: 'content_block_delta', delta: { text } }))
    await answer(SSE, delta(SIX) + delta(SIX))
    assert.match(res.writes.at(-1)!, /^event: error\ndata: \{"type":"error".*output_tokens_exceeded/)
    res.finish()
  })

  test('does not apply to a JSON answer, which is generated before it arrives', async (t) => {
    const { res, answer, run, ended } = rig(t, { limits })
    const response = await answer(JSON_TYPE)
    response.end('{"usage":{"completion_tokens":99}}')
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })

  test('applies to a stream that is drained without its client', async (t) => {
    const { res, answer, run, ended, log } = rig(t, { limits, onClientDisconnect: 'drain' })
    const response = await answer(SSE, chunk(SIX))
    res.destroy()
    response.write(chunk(SIX))
    await run()
    assert.ok(log.includes('upstream ended'))
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['client_disconnect', 'output_tokens_exceeded', 1])
  })

  test('cannot be circumvented by an estimate that is NaN', async (t) => {
    let calls = 0
    const { res, answer } = rig(t, { limits, estimateTokens: () => (calls++ === 0 ? Number.NaN : 100) })
    await answer(SSE, chunk('a') + chunk('b') + chunk('c'))
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
  })
})

describe('an error that the provider reports within a 200 answer', () => {
  const overloaded = event(JSON.stringify({ error: { message: 'Overloaded', type: 'server_error' } }))

  for (const [name, body] of [
    ['and then ends', chunk('a') + overloaded],
    ['followed by the terminator', chunk('a') + overloaded + DONE],
  ] as const) {
    test(`${name}: passes unchanged and is recorded`, async (t) => {
      const { res, exchange, answer, run, ended } = rig(t)
      const response = await answer(SSE, body)
      response.end()
      await run()
      assert.equal(res.body, body)
      assert.equal(res.writableEnded, true)
      assert.equal(res.destroyed, false)
      res.finish()
      assert.deepEqual([ended().outcome, ended().code, ended().status], ['upstream_error', 'upstream_error', 200])
      assert.equal(recordOf(exchange).error, 'The provider failed within its answer: Overloaded')
      assert.equal(ended().over, 1)
    })
  }

  test('is recorded in JSON', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(JSON_TYPE)
    response.end('{"error":{"message":"Overloaded"}}')
    await run()
    assert.equal(res.body, '{"error":{"message":"Overloaded"}}')
    res.finish()
    assert.deepEqual([ended().outcome, ended().code], ['upstream_error', 'upstream_error'])
  })

  test('after the client has disconnected does not change the outcome', async (t) => {
    const { res, answer, run, ended } = rig(t, { onClientDisconnect: 'drain' })
    const response = await answer(SSE, chunk('a'))
    res.destroy()
    response.end(overloaded)
    await run()
    assert.deepEqual([ended().outcome, ended().code], ['client_disconnect', 'upstream_error'])
  })

  test('is recorded even if the client disconnects right after it has read the end', async (t) => {
    const { res, answer, ended } = rig(t)
    await answer(SSE, MANY + overloaded + DONE)
    res.destroy()
    assert.deepEqual([ended().outcome, ended().code], ['upstream_error', 'upstream_error'])
  })

  // Anthropic begins with `output_tokens: 1`, and tells the rest at the end, which does not come.
  test('makes the usage an estimate, because the provider had more to generate', async (t) => {
    const { res, exchange, answer, run } = rig(t, { path: '/v1/messages' })
    const start = { type: 'message_start', message: { id: 'm', usage: { input_tokens: 9, output_tokens: 1 } } }
    const delta = { type: 'content_block_delta', delta: { type: 'text_delta', text: SIX } }
    const failed = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    const response = await answer(
      SSE,
      [start, delta, delta, failed].map((each) => event(JSON.stringify(each))).join(''),
    )
    response.end()
    await run()
    res.finish()
    assert.deepEqual(recordOf(exchange).usage, { inputTokens: 9, outputTokens: 12, estimated: true })
  })
})
