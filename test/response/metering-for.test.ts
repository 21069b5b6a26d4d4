import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import type { AiProxyOptions, EstimateTokens } from '../../lib/api/options.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { type Framing, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { JsonResponseMeter } from '../../lib/metering/json-response-meter.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { meteringFor } from '../../lib/response/metering-for.js'
import { chunk, DONE, event, usageEvent } from '../metering/passing.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { sendRequest } from '../support/sent-request.js'
import { unhandledRejections } from '../support/unhandled.js'

type OnEvent = NonNullable<AiProxyOptions['onEvent']>

function exchangeOf(): Exchange {
  const req = { method: 'POST', url: '/v1/chat/completions' } as unknown as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as Response)
  exchange.describe('gpt-5', true)
  return exchange
}

const configOf = (options: Partial<AiProxyOptions>) =>
  resolveOptions({ target: 'https://provider.example', ...options })

/** What a stream's frames become with this hook. */
function seenWith(onEvent: OnEvent, body: string, framing: Framing = sse, exchange = exchangeOf()): string {
  const framer = framing.createFramer(Number.POSITIVE_INFINITY)
  const frames = framer.push([Buffer.from(body)])!
  const metering = meteringFor(exchange, framing, false, configOf({ onEvent }))!
  const seen = String(metering.pass(frames, framer.ends, 0) ?? '')
  if (metering.failure) throw metering.failure.error
  return seen
}

describe('the meter of an answer', () => {
  test('is a stream meter for a stream', () => {
    const exchange = exchangeOf()
    const metering = meteringFor(exchange, sse, false, configOf({}))!
    const frame = Buffer.from(usageEvent(5))
    assert.equal(metering.pass(frame, [frame.length], 0), frame)
    const { usage } = exchange.answer
    assert.equal(usage, undefined, 'it is written before it is read')
    metering.readDeferred?.(0)
    assert.equal(exchange.answer.usage?.outputTokens, 5)
  })

  test('removes the usage event that the client did not request', () => {
    const exchange = exchangeOf()
    sendRequest(exchange, { hidesUsage: true })
    const metering = meteringFor(exchange, sse, false, configOf({}))!
    const frame = Buffer.from(usageEvent(5))
    assert.equal(metering.pass(frame, [frame.length], 0), undefined)
  })

  test('uses the app’s estimateTokens', () => {
    const exchange = exchangeOf()
    const metering = meteringFor(exchange, sse, false, configOf({ estimateTokens: ({ text }) => text.length }))!
    const frame = Buffer.from(chunk('Hello'))
    metering.pass(frame, [frame.length], 0)
    metering.readDeferred?.(0)
    assert.equal(exchange.answer.estimatedTokens, 5)
  })

  test('tells estimateTokens the model that was asked for until the answer names one', () => {
    const exchange = exchangeOf()
    const models: unknown[] = []
    const estimateTokens: EstimateTokens = ({ model }, { id }) => models.push([model, id])
    const metering = meteringFor(exchange, sse, false, configOf({ estimateTokens }))!
    const frames = [event({ choices: [{ delta: { content: 'Hel' } }] }), chunk('l'), chunk('o')].map((each) =>
      Buffer.from(each),
    )
    for (const frame of frames) metering.pass(frame, [frame.length], 0)
    metering.readDeferred?.(0)
    assert.deepEqual(
      models,
      ['gpt-5', 'gpt-5-2026', 'gpt-5-2026'].map((model) => [model, exchange.id]),
    )
  })

  test('reads a JSON answer at its end', () => {
    assert.ok(
      meteringFor(exchangeOf(), undefined, true, configOf({ onEvent: () => null })) instanceof JsonResponseMeter,
    )
  })

  test('is undefined for any other body', () => {
    assert.equal(meteringFor(exchangeOf(), undefined, false, configOf({ onEvent: () => null })), undefined)
  })
})

describe('onEvent', () => {
  test('sees each event with its format, its name and the exchange', () => {
    const seen: unknown[] = []
    const exchange = exchangeOf()
    const body = `${chunk('a')}event: ping\n${event({ type: 'ping' })}${DONE}`
    seenWith((...given) => void seen.push(given), body, sse, exchange)
    const view = exchange.hookView()
    const data = JSON.parse(chunk('a').slice('data: '.length))
    assert.deepEqual(seen, [
      [{ format: 'openai-chat', event: undefined, data }, view],
      [{ format: 'openai-chat', event: 'ping', data: { type: 'ping' } }, view],
    ])
  })

  for (const [name, onEvent, expected] of [
    ['nothing: the event passes unchanged', () => {}, 'event: a\nid: 1\ndata: {"x": 1}\n\n'],
    ['null: the event is dropped', () => null, ''],
    [
      'an object with data: the data is sent, with the same event name',
      () => ({ data: [2] }),
      'event: a\nid: 1\ndata: [2]\n\n',
    ],
    ['… even null', () => ({ data: null }), 'event: a\nid: 1\ndata: null\n\n'],
    ['an event’s name: the event gets it', () => ({ event: 'b', data: 'y' }), 'event: b\nid: 1\ndata: "y"\n\n'],
    [
      'the event itself, changed',
      (given) => {
        Object.assign(given.data, { x: 2 })
        return given as { data: unknown }
      },
      'event: a\nid: 1\ndata: {"x":2}\n\n',
    ],
  ] as [string, OnEvent, string][]) {
    test(`returns ${name}`, () => {
      assert.equal(seenWith(onEvent, `event: a\nid: 1\ndata: {"x": 1}\n\n${DONE}`), expected + DONE)
    })
  }

  test('works with NDJSON', () => {
    assert.equal(
      seenWith(({ data }) => ({ data: [data] }), '{"a":1}\n\n{"a":2}\n', ndjson),
      '[{"a":1}]\n\n[{"a":2}]\n',
    )
  })

  test('ignores a change to the event that is not returned', () => {
    const onEvent: OnEvent = ({ data }) => {
      Object.assign(data, { x: 2 })
    }
    assert.equal(seenWith(onEvent, event({ x: 1 })), event({ x: 1 }))
  })

  for (const [name, nonsense] of [
    ['true', true],
    ['a string', 'data: x\n\n'],
    ['an object without data', { event: 'a' }],
    ['a list', [{ data: 1 }]],
    ['a promise', Promise.resolve({ data: 1 })],
  ] as const) {
    test(`throws an error that says what to return if it returns ${name}`, () => {
      assert.throws(() => seenWith(() => nonsense as never, event({ x: 1 })), {
        name: 'TypeError',
        message:
          /onEvent must return nothing, null, or an object with JSON as its `data`; got (?:an? \w+|\{ data: undefined \})$/,
      })
    })
  }

  test('throws an error that says what to return if the returned data cannot be JSON', () => {
    for (const data of [undefined, () => {}, Symbol('x')]) {
      assert.throws(() => seenWith(() => ({ data }), event({ x: 1 })), { message: /onEvent must return/ })
    }
  })

  test('ends its stream, but not the process, if it is async', async (t) => {
    const unhandled = unhandledRejections(t)
    const onEvent = async () => {
      throw new Error('late')
    }
    assert.throws(() => seenWith(onEvent as never, event({ x: 1 })), { message: /; got a Promise$/ })
    await settled()
    assert.deepEqual(unhandled, [])
  })
})
