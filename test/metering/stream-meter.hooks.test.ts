import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { jsonArray, type Message } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { checkedEstimate } from '../../lib/options/estimate-tokens.js'
import { chunk, DONE, event, passed, stop, usageEvent } from './passing.js'

describe('onMessage', () => {
  test('sees every event that carries JSON, in order, and nothing else', () => {
    const seen: [Message, unknown][] = []
    passed([`${chunk('a')}: comment\n\n${chunk('b')}event: ping\nid: 7\n${event({ x: 1 })}`, event('no JSON'), DONE], {
      onMessage: (message, data) => void seen.push([message, data]),
    })
    assert.equal(seen.length, 3)
    assert.deepEqual(
      seen.map(([message]) => JSON.parse(message.data)),
      seen.map(([, data]) => data),
    )
    const [last, data] = seen[2]!
    assert.deepEqual([last.event, last.id, data], ['ping', '7', { x: 1 }])
  })

  test('sees JSON that is not an object', () => {
    const seen: unknown[] = []
    passed([event('[1]') + event('null') + event('0')], { onMessage: (_, data) => void seen.push(data) })
    assert.deepEqual(seen, [[1], null, 0])
  })

  test('keeps the event byte for byte if it returns undefined', () => {
    const odd = ':c\r\nid:1\r\nevent:x\r\ndata:{"a": 1.0}\r\n\r\n'
    const { out } = passed([odd + DONE], { onMessage: () => undefined })
    assert.equal(out, odd + DONE)
  })

  test('drops the event if it returns null', () => {
    const { out, turns } = passed([chunk('a') + chunk('b') + DONE, chunk('b')], {
      onMessage: (message) => (message.data.includes('"b"') ? null : undefined),
    })
    assert.equal(out, chunk('a') + DONE)
    assert.equal(turns[1], undefined)
  })

  test("replaces the event by a message, in the stream's framing", () => {
    const onMessage = (message: Message) => ({ ...message, event: 'said', data: '{"x":1}' })
    assert.equal(passed([chunk('a') + DONE], { onMessage }).out, `event: said\n${event({ x: 1 })}${DONE}`)
    const line = '{"response":"a"}\n'
    assert.equal(passed([line + line], { framing: ndjson, onMessage }).out, '{"x":1}\n{"x":1}\n')
    const frame = awsEventStream.write({ event: 'metadata', data: '{}' })
    const { turns } = passed([frame], { framing: awsEventStream, onMessage })
    assert.deepEqual(awsEventStream.read(turns[0]!), { event: 'said', data: '{"x":1}' })
  })

  test('keeps the order of the events around it', () => {
    const upper = (message: Message) =>
      message.data.includes('"b"') ? { ...message, data: message.data.replace('"b"', '"B"') } : undefined
    const { out } = passed([chunk('a') + chunk('b') + chunk('c') + chunk('b') + DONE], { onMessage: upper })
    assert.equal(out, chunk('a') + chunk('B') + chunk('c') + chunk('B') + DONE)
  })

  test("does not affect metering, which reads the provider's events", () => {
    const { accumulator, out } = passed([chunk('Word'), stop, usageEvent(1), DONE], { onMessage: () => null })
    assert.equal(out, DONE)
    assert.deepEqual(
      [accumulator.finishReason, accumulator.usage?.outputTokens, accumulator.firstTokenAt],
      ['stop', 1, 1],
    )
    assert.equal(Math.round(accumulator.estimatedTokens), 1)
  })

  test('does not see AWS frames without JSON', () => {
    const frame = awsEventStream.write({ event: 'throttlingException', data: '', isError: true })
    const seen: unknown[] = []
    const given = { format: getFormat('bedrock-converse'), framing: awsEventStream }
    const { out } = passed([frame], { ...given, onMessage: (_, data) => void seen.push(data) })
    assert.deepEqual([seen, out], [[], frame.toString('latin1')])
  })

  test('does not see the usage event that the client did not request', () => {
    const seen: string[] = []
    const { out } = passed([chunk('a'), usageEvent(1), DONE], {
      hidesUsage: true,
      onMessage: (message) => void seen.push(message.data),
    })
    assert.equal(seen.length, 1)
    assert.equal(out, chunk('a') + DONE)
  })

  test('ends the stream after the events before it if it throws', () => {
    const thrown = new Error('no')
    let calls = 0
    const onMessage = () => {
      if (++calls === 2) throw thrown
      return undefined
    }
    const { out, failure } = passed([chunk('a') + chunk('b') + chunk('c')], { onMessage })
    assert.equal(out, chunk('a'))
    assert.equal(failure?.error, thrown)
    assert.equal(calls, 2)
  })

  const array = { format: getFormat('gemini'), framing: jsonArray }
  const elements = ['{"candidates":[1]}', '{"candidates":[2]}', '{"candidates":[3]}']

  test('keeps the array valid if it replaces an element', () => {
    const onMessage = (message: Message) => ({ ...message, data: '{"x":1}' })
    for (const body of [`[${elements}]`, `[${elements[0]}]`, ` [ ${elements.join('\r\n,\r\n')} ] `]) {
      const { out } = passed([body], { ...array, onMessage })
      assert.deepEqual(JSON.parse(out), Array(JSON.parse(body).length).fill({ x: 1 }))
    }
  })

  for (const dropped of [[0], [1], [2], [0, 1], [0, 1, 2]]) {
    test(`keeps the array valid if it drops the elements ${dropped}`, () => {
      for (const turns of [[`[${elements}]`], [...elements.map((element, at) => `${at ? ',' : '['}${element}`), ']']]) {
        let at = 0
        const { out } = passed(turns, { ...array, onMessage: () => (dropped.includes(at++) ? null : undefined) })
        const kept = elements.filter((_, index) => !dropped.includes(index))
        assert.deepEqual(
          JSON.parse(out),
          kept.map((element) => JSON.parse(element)),
        )
      }
    })
  }
})

describe('estimateTokens', () => {
  test('is called with each text, and with the model if it is known', () => {
    const calls: [string, string | undefined][] = []
    const estimateTokens = (text: string, model: string | undefined) => {
      calls.push([text, model])
      return 10
    }
    const plain = event({ choices: [{ delta: { content: 'early' } }] })
    const { accumulator } = passed([plain + chunk('') + chunk('Hel'), chunk('lo') + stop + DONE], { estimateTokens })
    assert.deepEqual(calls, [
      ['early', undefined],
      ['Hel', 'gpt-5-2026'],
      ['lo', 'gpt-5-2026'],
    ])
    assert.equal(accumulator.estimatedTokens, 30)
  })

  test('replaces our estimate, even in a long stream', () => {
    const texts = Array.from({ length: 200 }, (_, at) => `word ${at}`)
    const { accumulator } = passed([texts.map((text) => chunk(text)).join('')], { estimateTokens: () => 0.5 })
    assert.equal(accumulator.estimatedTokens, 100)
    assert.deepEqual(accumulator.usageAt(false), { outputTokens: 100, estimated: true })
  })

  test('does not change the stream', () => {
    const body = [chunk('a') + stop, usageEvent(1) + DONE]
    assert.equal(passed(body, { estimateTokens: () => 1 }).out, body.join(''))
  })

  test('works together with onMessage', () => {
    let calls = 0
    const { out, accumulator } = passed([chunk('a') + chunk('b')], {
      estimateTokens: () => ++calls,
      onMessage: () => null,
    })
    assert.deepEqual([out, calls, accumulator.estimatedTokens], ['', 2, 3])
  })

  for (const given of [Number.NaN, undefined, -5, '7', Number.POSITIVE_INFINITY]) {
    test(`that returns no count (${given}) does not affect the figures`, () => {
      const checked = checkedEstimate(() => given as number)!
      const estimateTokens = (text: string, model: string | undefined) => checked({ text, model }, {} as HookedExchange)
      const { accumulator } = passed([chunk('abcd') + chunk('efgh')], { estimateTokens })
      const { estimatedTokens, outputTokens } = accumulator
      assert.ok(Number.isFinite(estimatedTokens) && estimatedTokens >= 0, `${estimatedTokens}`)
      assert.ok(Number.isFinite(outputTokens), `${outputTokens}`)
    })
  }
})
