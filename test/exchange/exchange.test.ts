import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { Request, Response } from 'express'
import { AiProxyError, limitFailure } from '../../lib/api/errors.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { FakeResponse } from '../support/fake-response.js'
import { sendRequest } from '../support/sent-request.js'

function exchangeOf(res = new FakeResponse()): Exchange {
  const req = { method: 'POST', path: '/v1/messages', url: '/v1/messages?key=secret' }
  return new Exchange(req as unknown as Request, res as unknown as Response)
}

describe('settle', () => {
  test('the first outcome is final', () => {
    const exchange = exchangeOf()
    assert.equal(exchange.isSettled, false)
    assert.equal(exchange.settle('client_disconnect'), true)
    assert.equal(exchange.isSettled, true)
    assert.equal(exchange.settle('completed'), false)
    assert.equal(recordOf(exchange).outcome, 'client_disconnect')
  })

  test('a later failure does not change the outcome, but is recorded', () => {
    const exchange = exchangeOf()
    exchange.settle('client_disconnect')
    const failure = limitFailure('idle_timeout', defaultLimits)
    assert.equal(exchange.settle(failure.outcome, failure), false)
    const { outcome, code, limit } = recordOf(exchange)
    assert.deepEqual([outcome, code, limit], ['client_disconnect', 'idle_timeout', 'idleTimeoutMs'])
  })

  test('the first of two failures is recorded', () => {
    const exchange = exchangeOf()
    exchange.settle('limit_exceeded', limitFailure('idle_timeout', defaultLimits))
    exchange.settle('upstream_error', new AiProxyError('upstream_reset', 'x'))
    assert.equal(recordOf(exchange).code, 'idle_timeout')
    assert.equal(exchange.failure?.code, 'idle_timeout')
  })

  test('a long failure message is truncated', () => {
    const exchange = exchangeOf()
    exchange.settle('upstream_error', new AiProxyError('upstream_error', 'x'.repeat(100_000)))
    assert.equal(recordOf(exchange).error, `${'x'.repeat(1000)}…`)
  })
})

describe('the state of a stream', () => {
  test("has the next sequence number, and the response's id and model", () => {
    const exchange = exchangeOf()
    exchange.describe('asked', false)
    assert.deepEqual(exchange.streamState(), {
      responseId: `resp_${exchange.id}`,
      model: 'asked',
      nextSequenceNumber: 0,
    })
    exchange.answer.add({ model: 'told', responseId: 'resp_1' }, 0)
    exchange.answer.advance({ sequenceNumber: 4 }, {}, 0)
    assert.deepEqual(exchange.streamState(), { responseId: 'resp_1', model: 'told', nextSequenceNumber: 5 })
  })
})

describe('record', () => {
  test('has no secret that a failure quotes', () => {
    const exchange = exchangeOf()
    sendRequest(exchange, { secrets: compileSecrets(['Bearer sk-provider-key-1']) })
    const cause = new Error('bad header: Bearer sk-provider-key-1')
    exchange.settle('upstream_error', new AiProxyError('upstream_reset', 'It broke off sk-provider-key-1', { cause }))
    const { error } = recordOf(exchange)
    assert.equal(error, `It broke off ${'*'.repeat(17)} (bad header: ${'*'.repeat(24)})`)
  })

  test('has the figures of an exchange that completed', (t) => {
    const res = new FakeResponse()
    const exchange = exchangeOf(res)
    exchange.describe('claude', true)
    t.mock.method(performance, 'now', () => exchange.began + 3)
    exchange.recordProviderHead(undefined, 'req-1')
    exchange.traffic.countRequestBytes(7)
    exchange.traffic.countUpstreamBytes(100)
    exchange.traffic.attachFramer({ events: 4 })
    exchange.traffic.attachDownstream({ bytes: 90 })
    for (const ms of [2, 5, 1]) exchange.traffic.countTurn(ms)
    res.statusCode = 201
    res.flushHeaders()
    exchange.settle('completed')
    const { id, startedAt, durationMs, ...record } = recordOf(exchange)
    assert.match(id, /^[\da-f-]{36}$/)
    assert.ok(Number.isInteger(startedAt))
    assert.ok(durationMs >= 0)
    assert.deepEqual(record, {
      outcome: 'completed',
      limit: undefined,
      code: undefined,
      error: undefined,
      method: 'POST',
      path: '/v1/messages',
      model: 'claude',
      stream: true,
      status: 201,
      providerStatus: undefined,
      providerRequestId: 'req-1',
      format: 'anthropic',
      responseModel: undefined,
      responseId: undefined,
      finishReason: undefined,
      // A request that has text written, and an answer that says nothing of it.
      usage: { estimated: true },
      tokens: { uncachedInput: 0, cachedInput: 0, cacheWrite: 0, visibleOutput: 0, reasoning: 0, total: 0 },
      firstTokenMs: undefined,
      outputTokensPerSecond: undefined,
      subject: undefined,
      tenant: undefined,
      cache: undefined,
      cost: undefined,
      costEstimated: false,
      labels: {},
      target: undefined,
      attempts: [],
      firstByteMs: 3,
      requestBytes: 7,
      upstreamBytes: 100,
      downstreamBytes: 90,
      events: 4,
      turns: 3,
      busyMs: 8,
      maxTurnMs: 5,
    })
  })

  test("has the provider's id of the request, masked and cut", () => {
    const exchange = exchangeOf()
    sendRequest(exchange, { secrets: compileSecrets(['Bearer sk-provider-key-1']) })
    // Cut before it is masked, the key would no longer be found.
    exchange.recordProviderHead(200, `${'r'.repeat(190)}sk-provider-key-1${'r'.repeat(1000)}`)
    assert.equal(recordOf(exchange).providerRequestId, 'r'.repeat(190) + '*'.repeat(10))
  })

  test("distinguishes a provider's answer with a status of 400 or more from a success", () => {
    for (const [status, outcome] of [
      [200, 'completed'],
      [304, 'completed'],
      [400, 'provider_error'],
      [429, 'provider_error'],
      [503, 'provider_error'],
    ] as const) {
      const exchange = exchangeOf()
      exchange.recordProviderHead(status)
      exchange.settleComplete()
      assert.equal(recordOf(exchange).outcome, outcome)
      assert.equal(recordOf(exchange).providerStatus, status)
    }
    const answeredHere = exchangeOf()
    answeredHere.res.statusCode = 404
    answeredHere.settleComplete()
    assert.equal(recordOf(answeredHere).outcome, 'completed')
  })

  test('keeps the thrown error, visible only on request', () => {
    const cause = new Error('vault said sk-secret')
    for (const failure of [
      new AiProxyError('internal_error', 'A fault', { cause }),
      new AiProxyError('credentials_unavailable', 'No key', { privateCause: cause }),
    ]) {
      const exchange = exchangeOf()
      exchange.settle(failure.outcome, failure)
      const record = recordOf(exchange)
      assert.equal(record.cause, cause)
      for (const shown of [inspect(record), JSON.stringify(record), JSON.stringify({ ...record })]) {
        assert.doesNotMatch(shown, /sk-secret/)
      }
    }
  })

  test('has what the answer reported', (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const exchange = exchangeOf()
    const told = { model: 'claude-5', responseId: 'm1', text: 'Hi', usage: { inputTokens: 3 } }
    exchange.answer.add(told, 1250)
    exchange.answer.add({ finishReason: 'end_turn', usage: { outputTokens: 40 } }, 1600)
    exchange.settle('completed')
    now = 3250
    const { responseModel, responseId, finishReason, usage, firstTokenMs, outputTokensPerSecond } = recordOf(exchange)
    assert.deepEqual([responseModel, responseId, finishReason], ['claude-5', 'm1', 'end_turn'])
    assert.deepEqual(usage, { inputTokens: 3, outputTokens: 40, estimated: false })
    assert.equal(firstTokenMs, 250)
    assert.equal(outputTokensPerSecond, 20, '40 tokens in the 2 seconds from the first one on')
    exchange.answer.endedAt = 2250
    assert.equal(recordOf(exchange).outputTokensPerSecond, 40, 'what the connection was left open for does not count')
    exchange.cache = 'hit'
    assert.equal(recordOf(exchange).outputTokensPerSecond, undefined, 'a kept answer goes out, and is not generated')
  })

  for (const [name, isWhole, outcome, estimated] of [
    ['the client left', false, 'client_disconnect', true],
    ['a limit was hit', false, 'limit_exceeded', true],
    ['the client left, and the answer was drained to its end', true, 'client_disconnect', false],
    ['the client had read the end', false, 'completed', false],
  ] as const) {
    test(`sets usage.estimated: ${name}`, () => {
      const exchange = exchangeOf()
      exchange.answer.add({ usage: { inputTokens: 3, outputTokens: 40 } }, 0)
      if (isWhole) exchange.completeAnswer()
      exchange.settle(outcome)
      assert.deepEqual(recordOf(exchange).usage, { inputTokens: 3, outputTokens: 40, estimated })
    })
  }

  test('has no speed if no token arrived, or its time is unknown', (t) => {
    t.mock.method(performance, 'now', () => 0)
    const silent = exchangeOf()
    silent.answer.add({ usage: { outputTokens: 40 } }, 0)
    assert.equal(recordOf(silent).outputTokensPerSecond, undefined)
    const atOnce = exchangeOf()
    atOnce.answer.add({ text: 'Hi', usage: { outputTokens: 40 } }, 0)
    assert.equal(recordOf(atOnce).outputTokensPerSecond, undefined, 'no time has passed')
  })

  test('finishes the metering first, once', () => {
    const exchange = exchangeOf()
    let finished = 0
    exchange.attachMetering({
      pass: (bytes) => bytes,
      finish: (now) => {
        finished++
        exchange.answer.add({ finishReason: 'stop' }, now)
      },
    })
    assert.equal(recordOf(exchange).finishReason, 'stop')
    assert.equal(recordOf(exchange).finishReason, 'stop')
    assert.equal(finished, 1)
  })

  test('has no status if the client left before it', () => {
    assert.equal(recordOf(exchangeOf()).status, undefined)
  })

  test("has the system's reason for an upstream error", () => {
    const exchange = exchangeOf()
    const cause = new Error('connect ECONNREFUSED')
    exchange.settle('upstream_error', new AiProxyError('upstream_unreachable', 'Not reachable', { cause }))
    assert.equal(recordOf(exchange).error, 'Not reachable (connect ECONNREFUSED)')
  })

  test('has nothing of an error that a credential function threw', () => {
    const exchange = exchangeOf()
    const cause = new Error('vault token s.1234 expired')
    exchange.settle('rejected', new AiProxyError('credentials_unavailable', 'No credentials', { cause }))
    assert.equal(recordOf(exchange).error, 'No credentials')
  })
})

test('a snapshot has the phase', () => {
  const exchange = exchangeOf()
  exchange.enter('streaming')
  exchange.describe('claude', false)
  exchange.identify({ id: 'ada', tenant: 'acme' }, undefined)
  exchange.traffic.attachFramer({ events: 1 })
  exchange.traffic.attachDownstream({ bytes: 12 })
  exchange.answer.estimatedTokens = 3
  exchange.traffic.countTurn(5)
  exchange.traffic.countTurn(4)
  const { age, ...snapshot } = exchange.snapshot()
  assert.deepEqual(snapshot, {
    id: exchange.id,
    phase: 'streaming',
    model: 'claude',
    stream: false,
    subject: 'ada',
    tenant: 'acme',
    bytes: 12,
    outputTokens: 3,
    turns: 2,
    maxTurnMs: 5,
  })
  assert.ok(age >= 0)
})

test('hookView is the object that hooks get, with what is known so far', () => {
  const exchange = exchangeOf()
  const view = exchange.hookView()
  assert.equal(view.model, undefined)
  exchange.describe('claude', true)
  const { id, req, res, path, model, stream, format } = view
  assert.deepEqual([id, path, model, stream, format], [exchange.id, '/v1/messages', 'claude', true, 'anthropic'])
  assert.ok(req === exchange.req && res === exchange.res)
  assert.equal(exchange.hookView(), view)
})

describe('the signal of an exchange', () => {
  const failure = new AiProxyError('idle_timeout', 'The provider fell silent')

  for (const outcome of ['completed', 'provider_error'] as const) {
    test(`does not abort if it ends as ${outcome}`, () => {
      const exchange = exchangeOf()
      const { signal } = exchange.hookView()
      exchange.settle(outcome)
      assert.equal(signal.aborted, false)
      assert.equal(exchange.hookView().signal, signal)
    })
  }

  for (const isReadBefore of [true, false]) {
    test(`aborts with the failure, read ${isReadBefore ? 'before' : 'after'} it`, () => {
      const exchange = exchangeOf()
      const before = isReadBefore ? exchange.hookView().signal : undefined
      exchange.settle('limit_exceeded', failure)
      const { signal } = exchange.hookView()
      assert.equal(signal, before ?? signal)
      assert.ok(signal.aborted)
      assert.equal(signal.reason, failure)
    })

    test(`aborts with an AbortError if the client leaves, read ${isReadBefore ? 'before' : 'after'} it`, () => {
      const exchange = exchangeOf()
      if (isReadBefore) assert.equal(exchange.hookView().signal.aborted, false)
      exchange.settle('client_disconnect')
      exchange.settle('limit_exceeded', failure)
      assert.equal(exchange.hookView().signal.reason.name, 'AbortError')
    })
  }
})

test('the format is that of the path’s clients', () => {
  assert.equal(exchangeOf().format.name, 'anthropic')
})
