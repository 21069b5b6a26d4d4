import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { StreamMeter } from '../../lib/metering/stream-meter.js'
import { chunk, DONE, event, passed, stop, usageEvent } from './passing.js'

const ndjsonLine = (value: unknown) => `${JSON.stringify(value)}\n`
const named = (type: string, fields: object) => `event: ${type}\n${event({ type, ...fields })}`
const aws = (name: string, data: unknown, isError = false) =>
  awsEventStream.write({ event: name, data: JSON.stringify(data), isError })

/** As many frames without anything to tell as it takes for those before them not to be among the last. */
const many = (text = 'word') => Array.from({ length: 50 }, () => chunk(text)).join('')

describe('what a stream reports', () => {
  test('model, id, usage, finish reason', () => {
    const { accumulator } = passed([chunk(''), chunk('Hel'), chunk('lo'), stop, usageEvent(2), DONE])
    const { model, responseId, finishReason, error } = accumulator
    assert.deepEqual([model, responseId, finishReason, error], ['gpt-5-2026', 'c1', 'stop', undefined])
    assert.deepEqual(accumulator.usageAt(true), { inputTokens: 9, outputTokens: 2, totalTokens: 11, estimated: false })
  })

  test('is the same if all of it arrives in one turn', () => {
    const { accumulator } = passed([chunk('') + many() + stop + usageEvent(51) + DONE])
    assert.deepEqual([accumulator.model, accumulator.finishReason], ['gpt-5-2026', 'stop'])
    assert.equal(accumulator.usage?.outputTokens, 51)
  })

  test('includes why it ended, however many comments and blank lines follow', () => {
    const silence = [...Array(9).fill(': ping\n\n'), ...Array(9).fill('\n')]
    const failed = event({ error: { message: 'overloaded' } })
    for (const following of [silence, [silence.join('')]]) {
      for (const last of [`${many()}${stop}${failed}`, `${many()}${stop}${failed}${silence.join('')}`]) {
        const { accumulator } = passed([last, ...following])
        assert.deepEqual([accumulator.finishReason, accumulator.error], ['stop', 'overloaded'])
      }
    }
  })

  test('includes what follows ten thousand empty frames, which are not read one by one', () => {
    const framing = { ...sse, read: mock.fn(sse.read) }
    const accumulator = new UsageAccumulator()
    const options = { sent: { bytes: 0 }, hidesUsage: false, estimateTokens: undefined, onMessage: undefined }
    const passage = new StreamMeter(getFormat('openai-chat'), framing, accumulator, options)
    const empty = Buffer.alloc(60_000, '\n')
    passage.pass(
      empty,
      Array.from(empty, (_, at) => at + 1),
      1,
    )
    passage.readDeferred(1)
    assert.ok(framing.read.mock.callCount() < 100, `${framing.read.mock.callCount()} were read`)
    const told = Buffer.from(usageEvent(5))
    passage.pass(told, [told.length], 2)
    passage.readDeferred(2)
    assert.equal(accumulator.usage?.outputTokens, 5)
  })

  test('includes the first token, which is the first text, not the first event', () => {
    assert.equal(passed([': hello\n\n', chunk(''), chunk('Hel'), chunk('lo')]).accumulator.firstTokenAt, 3)
    assert.equal(passed([chunk(''), usageEvent(0), DONE]).accumulator.firstTokenAt, undefined)
  })

  test('includes usage anywhere in a long turn', () => {
    const { accumulator } = passed([many() + usageEvent(77) + many() + DONE])
    assert.equal(accumulator.usage?.outputTokens, 77)
  })

  test('includes the last usage if every event reports it', () => {
    const counting = (tokens: number) =>
      chunk('word', { usage: { prompt_tokens: 9, completion_tokens: tokens, total_tokens: 9 + tokens } })
    const all = Array.from({ length: 100 }, (_, at) => counting(at + 1))
    for (const turns of [all, [all.join('')], [all.slice(0, 60).join(''), all.slice(60).join('')]]) {
      const { accumulator } = passed([...turns, DONE])
      assert.deepEqual(accumulator.usageAt(true), {
        inputTokens: 9,
        outputTokens: 100,
        totalTokens: 109,
        estimated: false,
      })
    }
    assert.equal(passed([all.slice(0, 60).join('')], { isTruncated: true }).accumulator.usage?.outputTokens, 60)
  })

  test('includes a finish reason without a marker, which finish() finds in the last events', () => {
    const { accumulator } = passed([many() + stop + DONE])
    assert.equal(accumulator.finishReason, 'stop')
    assert.equal(accumulator.usage, undefined)
  })

  test('includes a finish reason in the middle of a turn, because its event differs from those with text', () => {
    assert.equal(passed([many() + stop + many()]).accumulator.finishReason, 'stop')
  })

  test('counts once what finish() reads again', () => {
    const { accumulator } = passed([chunk('One'), chunk(' two'), chunk(' three'), stop, DONE])
    assert.equal(Math.round(accumulator.estimatedTokens), 3)
    assert.equal(accumulator.firstTokenAt, 1)
  })

  test('has no finish reason if the answer was cut off', () => {
    assert.equal(passed([chunk('Hel'), chunk('lo')], { isTruncated: true }).accumulator.finishReason, undefined)
  })

  test('has an estimate if no usage was reported', () => {
    const { accumulator } = passed([chunk('') + many(), many(), stop + DONE])
    const usage = accumulator.usageAt(true)
    assert.equal(usage?.estimated, true)
    assert.ok(Math.abs(usage!.outputTokens! - 100) <= 10, `${usage?.outputTokens} for 100 words`)
  })

  test('is empty if nothing was generated', () => {
    for (const body of [
      '',
      ': heartbeat\n\n',
      '\n\n',
      'retry: 5\n\n',
      DONE,
      event('{"half":'),
      event(5),
      event('"a"'),
    ]) {
      const { accumulator } = passed([body])
      assert.deepEqual(
        [accumulator.usageAt(true), accumulator.error, accumulator.isLast],
        [undefined, undefined, false],
        body,
      )
    }
  })
})

describe('what streams of other formats report', () => {
  test('Anthropic: usage in parts, and the end', () => {
    const start = { message: { id: 'm1', model: 'claude-5', usage: { input_tokens: 10, output_tokens: 1 } } }
    const text = named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'word' } })
    const end = named('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 60 } })
    const body = named('message_start', start) + text.repeat(60) + end + named('message_stop', {})
    const { accumulator, out } = passed([body], { format: getFormat('anthropic') })
    assert.equal(out, body)
    assert.deepEqual(accumulator.usageAt(true), { inputTokens: 10, outputTokens: 60, estimated: false })
    assert.deepEqual([accumulator.model, accumulator.finishReason, accumulator.isLast], ['claude-5', 'end_turn', true])
  })

  test('Ollama: lines of JSON', () => {
    const line = (response: string, more: object = { done: false }) => ndjsonLine({ model: 'llama', response, ...more })
    const last = line('', { done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 50 })
    const { accumulator } = passed([line('word').repeat(50) + last], {
      format: getFormat('ollama-generate'),
      framing: ndjson,
    })
    assert.deepEqual(accumulator.usageAt(true), { inputTokens: 3, outputTokens: 50, estimated: false })
    assert.deepEqual([accumulator.finishReason, accumulator.isLast, accumulator.firstTokenAt], ['stop', true, 1])
  })

  test('Bedrock: AWS messages', () => {
    const text = aws('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'word' } })
    const end = [
      aws('messageStop', { stopReason: 'end_turn' }),
      aws('metadata', { usage: { inputTokens: 3, outputTokens: 50, totalTokens: 53 } }),
    ]
    const { accumulator } = passed([Buffer.concat([...Array.from({ length: 50 }, () => text), ...end])], {
      format: getFormat('bedrock-converse'),
      framing: awsEventStream,
    })
    assert.deepEqual(accumulator.usageAt(true), { inputTokens: 3, outputTokens: 50, totalTokens: 53, estimated: false })
    assert.deepEqual([accumulator.finishReason, accumulator.isLast], ['end_turn', true])
  })

  test('Gemini: elements of an array, with usage in each', () => {
    const element = (at: number) => ({
      candidates: [{ content: { parts: [{ text: 'word' }] }, ...(at === 20 && { finishReason: 'STOP' }) }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: at, totalTokenCount: 3 + at },
      modelVersion: 'gemini-3',
    })
    const body = JSON.stringify(Array.from({ length: 20 }, (_, at) => element(at + 1)))
    const { accumulator, out } = passed([body], { format: getFormat('gemini'), framing: jsonArray })
    assert.equal(out, body)
    assert.deepEqual(accumulator.usageAt(true), { inputTokens: 3, outputTokens: 20, totalTokens: 23, estimated: false })
    assert.deepEqual([accumulator.model, accumulator.finishReason], ['gemini-3', 'STOP'])
  })
})

describe('an error within a stream', () => {
  const overloaded = event({ error: { message: 'Overloaded', type: 'server_error' } })

  test('is found in its last events, and passes', () => {
    const { accumulator, out } = passed([many() + overloaded + DONE])
    assert.equal(accumulator.error, 'Overloaded')
    assert.ok(out.endsWith(overloaded + DONE))
  })

  test('is found in an AWS frame', () => {
    const given = { format: getFormat('bedrock-converse'), framing: awsEventStream }
    const text = aws('contentBlockDelta', { delta: { text: 'a' } })
    const throttled = aws('throttlingException', { message: 'Too many requests' }, true)
    assert.equal(passed([text, throttled], given).accumulator.error, 'Too many requests')
    const unknown = aws('modelTimeoutException', {}, true)
    assert.equal(passed([text, unknown], given).accumulator.error, 'modelTimeoutException')
  })

  test('is found in an AWS frame without JSON', () => {
    const throttled = awsEventStream.write({ event: 'throttlingException', data: '', isError: true })
    const { accumulator } = passed([throttled], { format: getFormat('bedrock-converse'), framing: awsEventStream })
    assert.equal(accumulator.error, 'throttlingException')
  })
})

describe('a byte order mark', () => {
  const frames = ['\uFEFFdata: 1\n\n', '\uFEFFdata: 2\n\n']
  const passedBehind = (bytes: number, given: object = {}) => passed(frames, { sent: { bytes }, ...given }).out

  test('is sent if it is the first thing that the client gets', () => {
    assert.equal(passedBehind(0), Buffer.from(frames.join('')).toString('latin1'))
  })

  test('is removed after a heartbeat, if it would be part of the first line; anywhere else it is text', () => {
    assert.equal(passedBehind(1), Buffer.from(`data: 1\n\n${frames[1]}`).toString('latin1'))
    assert.equal(passedBehind(1, { onMessage: () => undefined }), passedBehind(1))
  })
})

describe('the usage event', () => {
  const asked = { hidesUsage: true }

  test('passes if the client requested it', () => {
    const body = [chunk('Hel'), stop, usageEvent(2), DONE]
    assert.equal(passed(body).out, body.join(''))
  })

  test('is removed if only the proxy requested it, and is read nevertheless', () => {
    for (const turns of [[chunk('Hel'), stop, usageEvent(2), DONE], [chunk('Hel') + stop + usageEvent(2) + DONE]]) {
      const { out, accumulator } = passed(turns, asked)
      assert.equal(out, chunk('Hel') + stop + DONE)
      assert.equal(accumulator.usage?.outputTokens, 2)
    }
  })

  test('does not keep other events from being written before they are read', () => {
    const framing = { ...sse, read: mock.fn(sse.read) }
    const accumulator = new UsageAccumulator()
    const options = { ...asked, sent: { bytes: 0 }, estimateTokens: undefined, onMessage: undefined }
    const passage = new StreamMeter(getFormat('openai-chat'), framing, accumulator, options)
    const first = Buffer.from(chunk('Hel'))
    assert.equal(passage.pass(first, [first.length], 1), first)
    assert.equal(framing.read.mock.callCount(), 0)
    passage.readDeferred(1)
    assert.equal(accumulator.firstTokenAt, 1)
  })

  test('may be all of a turn, which then writes nothing', () => {
    const { turns } = passed([chunk('a'), usageEvent(2), DONE], asked)
    assert.deepEqual(turns.map(String), [chunk('a'), 'undefined', DONE])
  })

  test('is removed at the end, without a blank line', () => {
    assert.equal(passed([chunk('a'), usageEvent(2).trimEnd()], asked).out, chunk('a'))
  })

  test('is removed among many in one turn, and the frames around it stay', () => {
    const body = many() + usageEvent(2) + many() + usageEvent(3) + DONE
    assert.equal(passed([body], asked).out, many() + many() + DONE)
  })

  test('passes if it has more than usage', () => {
    const more = usageEvent(2, { prompt_filter_results: [{ prompt_index: 0 }] })
    assert.equal(passed([chunk('a') + more], asked).out, chunk('a') + more)
  })

  test('passes if it is an error with its own message', () => {
    const error = usageEvent(0, { choices: null, base_resp: { status_code: 1008, status_msg: 'insufficient balance' } })
    const { out, accumulator } = passed([error], asked)
    assert.deepEqual([out, accumulator.error], [error, 'insufficient balance'])
  })

  test('passes if it has text', () => {
    const both = chunk('a', { usage: { prompt_tokens: 1, completion_tokens: 1 } })
    assert.equal(passed([both, DONE], asked).out, both + DONE)
  })
})
