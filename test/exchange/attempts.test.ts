import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AttemptLog } from '../../lib/exchange/attempts.js'

const brief = (records: ReturnType<AttemptLog['finish']>) =>
  records.map(({ target, model, status, code, hedged }) => [target, model, status, code, hedged])

describe('the log of attempts', () => {
  test('is empty without any', () => {
    const log = new AttemptLog()
    assert.deepEqual([log.count, log.current, log.finish('x', 5)], [0, undefined, []])
  })

  test('has them in their order, with what became of each', () => {
    const log = new AttemptLog()
    const first = log.begin('a', 'm1')
    first.answer(503)
    first.end('upstream_error')
    log.begin('b', 'm2', true)
    const third = log.begin('a', undefined)
    third.answer(200)
    log.serve(third)
    assert.deepEqual(brief(log.finish(undefined, undefined)), [
      ['a', 'm1', 503, 'upstream_error', false],
      ['b', 'm2', undefined, 'abandoned', true],
      ['a', undefined, 200, undefined, false],
    ])
  })

  test('counts them, at each target and at all', () => {
    const log = new AttemptLog()
    for (const name of ['a', 'b', 'a']) log.begin(name, undefined)
    assert.deepEqual([log.count, log.countAt('a'), log.countAt('b'), log.countAt('c')], [3, 2, 1, 0])
  })

  test('names the last as the current one, until one serves', () => {
    const log = new AttemptLog()
    const first = log.begin('a', undefined)
    const second = log.begin('b', undefined)
    assert.equal(log.current, second)
    log.serve(first)
    assert.equal(log.current, first)
  })

  test('gives the failure of the exchange to those that it ended', () => {
    const log = new AttemptLog()
    const served = log.begin('a', undefined)
    log.serve(served)
    log.begin('b', undefined)
    log.begin('c', undefined).end('outrun')
    assert.deepEqual(
      log.finish('idle_timeout', undefined).map(({ code }) => code),
      ['idle_timeout', 'idle_timeout', 'outrun'],
    )
  })

  test('have no first token after their end: the body of an error may look like output', () => {
    const log = new AttemptLog()
    const entry = log.begin('a', undefined)
    entry.answer(429)
    entry.end('upstream_error')
    log.serve(entry)
    const [{ ms, firstTokenMs } = assert.fail()] = log.finish('upstream_error', entry.began + 60_000)
    assert.deepEqual([ms < 60_000, firstTokenMs], [true, undefined])
  })

  test('gives the first token to the attempt that served, since its start', (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const log = new AttemptLog()
    log.begin('a', undefined).end('upstream_reset')
    const served = log.begin('b', undefined)
    log.serve(served)
    now = 1100
    assert.deepEqual(
      log.finish(undefined, 1040).map(({ firstTokenMs }) => firstTokenMs),
      [undefined, 40],
    )
  })
})

describe('an attempt', () => {
  test('ends once: the first reason counts, and its time stands still', () => {
    const entry = new AttemptLog().begin('a', undefined)
    assert.equal(entry.hasEnded, false)
    entry.end('upstream_reset')
    const { ms } = entry.record(undefined)
    entry.end('abandoned')
    entry.end()
    const record = entry.record(undefined)
    assert.deepEqual([record.code, record.ms, entry.hasEnded], ['upstream_reset', ms, true])
  })

  test('has the time of its start in milliseconds since the epoch', () => {
    const before = Date.now()
    const { startedAt, ms } = new AttemptLog().begin('a', undefined).record(undefined)
    assert.ok(startedAt >= before && startedAt <= Date.now() && ms >= 0)
  })
})
