import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { Request, Response } from 'express'
import { AiProxyError, limitFailure } from '../../lib/api/errors.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { FakeResponse } from '../support/fake-response.js'

function exchangeOf(res = new FakeResponse()): Exchange {
  const req = { method: 'POST', path: '/v1/messages', url: '/v1/messages?key=secret' }
  return new Exchange(req as unknown as Request, res as unknown as Response)
}

describe('settle', () => {
  test('who comes first decides', () => {
    const exchange = exchangeOf()
    assert.equal(exchange.isSettled, false)
    assert.equal(exchange.settle('client_disconnect'), true)
    assert.equal(exchange.isSettled, true)
    assert.equal(exchange.settle('completed'), false)
    assert.equal(exchange.record().outcome, 'client_disconnect')
  })

  test('a later failure changes no outcome, but is told', () => {
    const exchange = exchangeOf()
    exchange.settle('client_disconnect')
    const failure = limitFailure('idle_timeout', defaultLimits)
    assert.equal(exchange.settle(failure.outcome, failure), false)
    const { outcome, code, limit } = exchange.record()
    assert.deepEqual([outcome, code, limit], ['client_disconnect', 'idle_timeout', 'idleTimeoutMs'])
  })

  test('of two failures the first is told', () => {
    const exchange = exchangeOf()
    exchange.settle('limit_exceeded', limitFailure('idle_timeout', defaultLimits))
    exchange.settle('upstream_error', new AiProxyError('upstream_reset', 'x'))
    assert.equal(exchange.record().code, 'idle_timeout')
    assert.equal(exchange.failure?.code, 'idle_timeout')
  })

  test('of a failure that is told at length the beginning is', () => {
    const exchange = exchangeOf()
    exchange.settle('upstream_error', new AiProxyError('upstream_error', 'x'.repeat(100_000)))
    assert.equal(exchange.record().error, `${'x'.repeat(1000)}…`)
  })
})

describe('the state of a stream', () => {
  test('has the number that its next message would have, and whose answer it is', () => {
    const exchange = exchangeOf()
    exchange.model = 'asked'
    assert.deepEqual(exchange.streamState(), {
      responseId: `resp_${exchange.id}`,
      model: 'asked',
      nextSequenceNumber: 0,
    })
    exchange.findings.note({ model: 'told', responseId: 'resp_1' }, 0)
    exchange.findings.follow({ sequenceNumber: 4 }, {}, 0)
    assert.deepEqual(exchange.streamState(), { responseId: 'resp_1', model: 'told', nextSequenceNumber: 5 })
  })
})

describe('record', () => {
  test('tells no secret that the reason of a failure quotes', () => {
    const exchange = exchangeOf()
    exchange.secrets = compileSecrets(['Bearer sk-provider-key-1'])
    const cause = new Error('bad header: Bearer sk-provider-key-1')
    exchange.settle('upstream_error', new AiProxyError('upstream_reset', 'It broke off sk-provider-key-1', { cause }))
    const { error } = exchange.record()
    assert.equal(error, `It broke off ${'*'.repeat(17)} (bad header: ${'*'.repeat(24)})`)
  })

  test('of an exchange that went well', () => {
    const res = new FakeResponse()
    const exchange = exchangeOf(res)
    Object.assign(exchange, {
      model: 'claude',
      asksForStream: true,
      firstByteMs: 3,
      requestBytes: 7,
      upstreamBytes: 100,
    })
    Object.assign(exchange, { framed: { events: 4 }, sent: { bytes: 90 } })
    for (const ms of [2, 5, 1]) exchange.tookTurn(ms)
    res.statusCode = 201
    res.flushHeaders()
    exchange.settle('completed')
    const { id, startedAt, durationMs, ...record } = exchange.record()
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
      format: 'anthropic',
      responseModel: undefined,
      responseId: undefined,
      finishReason: undefined,
      // A request that has text written, and an answer that says nothing of it.
      usage: { estimated: true },
      tokens: { uncachedInput: 0, cachedInput: 0, cacheWrite: 0, visibleOutput: 0, reasoning: 0, total: 0 },
      firstTokenMs: undefined,
      outputTokensPerSecond: undefined,
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

  test('tells an answer of the provider with a status from 400 on from a success', () => {
    for (const [status, outcome] of [
      [200, 'completed'],
      [304, 'completed'],
      [400, 'provider_error'],
      [429, 'provider_error'],
      [503, 'provider_error'],
    ] as const) {
      const exchange = Object.assign(exchangeOf(), { providerStatus: status })
      exchange.settleWhole()
      assert.equal(exchange.record().outcome, outcome)
      assert.equal(exchange.record().providerStatus, status)
    }
    const answeredHere = exchangeOf()
    answeredHere.res.statusCode = 404
    answeredHere.settleWhole()
    assert.equal(answeredHere.record().outcome, 'completed')
  })

  test('keeps what was thrown, and shows it to nobody who does not ask', () => {
    const cause = new Error('vault said sk-secret')
    for (const failure of [
      new AiProxyError('internal_error', 'A fault', { cause }),
      new AiProxyError('credentials_unavailable', 'No key', { privateCause: cause }),
    ]) {
      const exchange = exchangeOf()
      exchange.settle(failure.outcome, failure)
      const record = exchange.record()
      assert.equal(record.cause, cause)
      for (const shown of [inspect(record), JSON.stringify(record), JSON.stringify({ ...record })]) {
        assert.doesNotMatch(shown, /sk-secret/)
      }
    }
  })

  test('has what the answer told', (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const exchange = exchangeOf()
    const told = { model: 'claude-5', responseId: 'm1', text: 'Hi', usage: { inputTokens: 3 } }
    exchange.findings.note(told, 1250)
    exchange.findings.note({ finishReason: 'end_turn', usage: { outputTokens: 40 } }, 1600)
    exchange.settle('completed')
    now = 3250
    const { responseModel, responseId, finishReason, usage, firstTokenMs, outputTokensPerSecond } = exchange.record()
    assert.deepEqual([responseModel, responseId, finishReason], ['claude-5', 'm1', 'end_turn'])
    assert.deepEqual(usage, { inputTokens: 3, outputTokens: 40, estimated: false })
    assert.equal(firstTokenMs, 250)
    assert.equal(outputTokensPerSecond, 20, '40 tokens in the 2 seconds from the first one on')
    exchange.findings.endedAt = 2250
    assert.equal(exchange.record().outputTokensPerSecond, 40, 'what the connection was left open for does not count')
  })

  for (const [name, isWhole, outcome, estimated] of [
    ['the client left', false, 'client_disconnect', true],
    ['a limit was hit', false, 'limit_exceeded', true],
    ['the client left, and the answer was read to its end', true, 'client_disconnect', false],
    ['the client had read that it was over', false, 'completed', false],
  ] as const) {
    test(`says whether usage is all that was used: ${name}`, () => {
      const exchange = exchangeOf()
      exchange.findings.note({ usage: { inputTokens: 3, outputTokens: 40 } }, 0)
      exchange.isComplete = isWhole
      exchange.settle(outcome)
      assert.deepEqual(exchange.record().usage, { inputTokens: 3, outputTokens: 40, estimated })
    })
  }

  test('has no speed where no token came, or none is known of', (t) => {
    t.mock.method(performance, 'now', () => 0)
    const silent = exchangeOf()
    silent.findings.note({ usage: { outputTokens: 40 } }, 0)
    assert.equal(silent.record().outputTokensPerSecond, undefined)
    const atOnce = exchangeOf()
    atOnce.findings.note({ text: 'Hi', usage: { outputTokens: 40 } }, 0)
    assert.equal(atOnce.record().outputTokensPerSecond, undefined, 'no time has passed')
  })

  test('reads what is left to read of the answer first, once', () => {
    const exchange = exchangeOf()
    let finished = 0
    exchange.metering = {
      pass: (bytes) => bytes,
      finish: (now) => {
        finished++
        exchange.findings.note({ finishReason: 'stop' }, now)
      },
    }
    assert.equal(exchange.record().finishReason, 'stop')
    assert.equal(exchange.record().finishReason, 'stop')
    assert.equal(finished, 1)
  })

  test('has no status where the client left before it', () => {
    assert.equal(exchangeOf().record().status, undefined)
  })

  test('says what the system said of an upstream error', () => {
    const exchange = exchangeOf()
    const cause = new Error('connect ECONNREFUSED')
    exchange.settle('upstream_error', new AiProxyError('upstream_unreachable', 'Not reachable', { cause }))
    assert.equal(exchange.record().error, 'Not reachable (connect ECONNREFUSED)')
  })

  test('says nothing of what a credential function threw', () => {
    const exchange = exchangeOf()
    const cause = new Error('vault token s.1234 expired')
    exchange.settle('rejected', new AiProxyError('credentials_unavailable', 'No credentials', { cause }))
    assert.equal(exchange.record().error, 'No credentials')
  })
})

test('snapshot tells where it is', () => {
  const exchange = exchangeOf()
  exchange.phase = 'streaming'
  exchange.model = 'claude'
  Object.assign(exchange, { framed: { events: 1 }, sent: { bytes: 12 } })
  exchange.findings.estimatedTokens = 3
  exchange.tookTurn(5)
  exchange.tookTurn(4)
  const { age, ...snapshot } = exchange.snapshot()
  assert.deepEqual(snapshot, {
    id: exchange.id,
    phase: 'streaming',
    model: 'claude',
    stream: false,
    bytes: 12,
    outputTokens: 3,
    turns: 2,
    maxTurnMs: 5,
  })
  assert.ok(age >= 0)
})

test('hookView is what hooks see', () => {
  const exchange = exchangeOf()
  Object.assign(exchange, { model: 'claude', asksForStream: true })
  const { id, req } = exchange
  const seen = { id, req, path: '/v1/messages', model: 'claude', stream: true, format: 'anthropic' }
  assert.deepEqual(exchange.hookView(), seen)
})

test('the format is the one that the path’s clients speak', () => {
  assert.equal(exchangeOf().format.name, 'anthropic')
})
