import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { RetryReason } from '../../lib/api/targets.js'
import { type AttemptFailure, judge } from '../../lib/routing/failure.js'
import { type FailedAttempt, type NextStep, nextStep, type RetryBudget } from '../../lib/routing/next-step.js'

const ALL: RetryReason[] = ['connection', 'server-error', 'rate-limit', 'auth', 'timeout', 'stream-error']

const policy: RetryBudget = {
  on: ALL,
  attemptsLeft: 2,
  maxWaitMs: 10_000,
  backoffMs: [200, 4000],
  backoffs: 0,
  elapsedMs: 100,
  withinMs: 30_000,
}

function step(failure: AttemptFailure, change: Partial<RetryBudget> = {}, rest: Partial<FailedAttempt<string>> = {}) {
  return nextStep({
    verdict: judge(failure),
    failure,
    policy: { ...policy, ...change },
    sameTargetTries: 0,
    remaining: ['b', 'c'],
    random: () => 0.5,
    ...rest,
  })
}

const again = (afterMs: number): NextStep<string> => ({ do: 'again', afterMs })
const next: NextStep<string> = { do: 'next', target: 'b', afterMs: 0 }
const giveUp: NextStep<string> = { do: 'give-up' }

const status = (code: number, retryAfterMs?: number): AttemptFailure => ({ kind: 'status', status: code, retryAfterMs })
const refused: AttemptFailure = { kind: 'unreachable' }
const lonely = { remaining: [] }
const retried = { sameTargetTries: 1 }

type Row = [failure: AttemptFailure, does: NextStep<string>, change?: Partial<RetryBudget>, rest?: object]

const rows: Record<string, Row[]> = {
  'asks the same target once at once, then the next, then none, if the connection fails': [
    [refused, again(0)],
    [{ kind: 'reset' }, again(0)],
    [refused, again(0), {}, lonely],
    [refused, next, {}, retried],
    [refused, giveUp, {}, { ...lonely, ...retried }],
  ],
  'asks the same target once after a backoff, then the next, then none, at a server error': [
    ...[408, 500, 502, 503, 504, 529].map((code): Row => [status(code), again(100)]),
    [{ kind: 'first-byte-timeout' }, again(100)],
    [{ kind: 'first-token-timeout' }, again(100)],
    [{ kind: 'broken' }, again(100)],
    [{ kind: 'error-event' }, again(100)],
    [status(500), again(100), {}, lonely],
    [status(500), next, {}, retried],
    [status(500), giveUp, {}, { ...lonely, ...retried }],
  ],
  'doubles the backoff with each one of the exchange': [
    [status(500), again(200), { backoffs: 1 }],
    [status(500), again(2000), { backoffs: 20 }],
  ],
  'waits as long as a server error asks for, if that is short or there is no other target': [
    [status(503, 50), again(100)],
    [status(503, 1000), again(1000)],
    [status(503, 1001), next],
    [status(503, 1001), again(1001), {}, lonely],
    [status(503, 10_001), giveUp, {}, lonely],
  ],
  'asks the same target after a short Retry-After, once': [
    [status(429, 0), again(0)],
    [status(429, 1000), again(1000)],
    [status(429, 1000), next, {}, retried],
    [status(429, 1000), giveUp, {}, { ...lonely, ...retried }],
    [{ kind: 'error-event', status: 429, retryAfterMs: 700 }, again(700)],
    [status(429, 900), next, { maxWaitMs: 800 }],
  ],
  'asks the next target if Retry-After is long, and waits for it only if there is none': [
    [status(429, 1001), next],
    [status(429, 10_000), again(10_000), {}, lonely],
    [status(429, 10_001), giveUp, {}, lonely],
    [status(429, 1e300), next],
    [status(429, 5000), giveUp, {}, { ...lonely, ...retried }],
  ],
  'asks only another target at 429 without Retry-After': [
    [status(429), next],
    [status(429), giveUp, {}, lonely],
  ],
  'asks only another target if the credentials are wrong': [
    ...[401, 402, 403].map((code): Row => [status(code), next]),
    [status(401), giveUp, {}, lonely],
    [{ kind: 'error-event', status: 401 }, next],
  ],
  'leaves it at an answer that is final': [
    ...[400, 404, 409, 413, 422, 418, 501, 304].map((code): Row => [status(code), giveUp]),
  ],
  'asks another target after an error event, whatever it says, and never the same one': [
    [{ kind: 'error-event', status: 400 }, next],
    [{ kind: 'error-event', status: 400 }, giveUp, {}, lonely],
  ],
  'starts no attempt too late': [
    [status(500), again(100), { elapsedMs: 29_900 }],
    [status(500), next, { elapsedMs: 29_901 }],
    [status(500), giveUp, { elapsedMs: 29_901 }, lonely],
    [status(500), next, { elapsedMs: 30_000 }],
    [status(500), giveUp, { elapsedMs: 30_001 }],
    [refused, again(0), { elapsedMs: 30_000 }],
    [refused, giveUp, { elapsedMs: 30_001 }],
    [status(429, 1000), next, { elapsedMs: 29_500 }],
    [status(429, 5000), giveUp, { elapsedMs: 25_001 }, lonely],
    [{ kind: 'first-byte-timeout' }, giveUp, { elapsedMs: 30_001 }],
  ],
  'has no attempt left': [
    [refused, giveUp, { attemptsLeft: 0 }],
    [status(500), giveUp, { attemptsLeft: 0 }],
  ],
  'keeps the last attempt for a target that has not failed': [
    [refused, next, { attemptsLeft: 1 }],
    [status(500), next, { attemptsLeft: 1 }],
    [status(429, 100), next, { attemptsLeft: 1 }],
    [refused, again(0), { attemptsLeft: 1 }, lonely],
  ],
}

describe('a request whose attempt failed', () => {
  for (const [does, cases] of Object.entries(rows)) {
    test(does, () => {
      for (const [at, [failure, expected, change, rest]] of cases.entries()) {
        assert.deepEqual(step(failure, change, rest), expected, `row ${at}: ${JSON.stringify(failure)}`)
      }
    })
  }

  for (const [reason, failure] of [
    ['connection', refused],
    ['server-error', status(500)],
    ['rate-limit', status(429, 100)],
    ['auth', status(401)],
    ['timeout', { kind: 'first-token-timeout' }],
    ['stream-error', { kind: 'broken' }],
  ] as [RetryReason, AttemptFailure][]) {
    test(`is tried again for ${reason} only if that is among the reasons`, () => {
      assert.notDeepEqual(step(failure, { on: [reason] }), giveUp)
      assert.deepEqual(step(failure, { on: ALL.filter((each) => each !== reason) }), giveUp)
      assert.deepEqual(step(failure, { on: [] }), giveUp)
    })
  }
})

describe('an exchange whose attempts all fail', () => {
  const failures = fc.record({
    kind: fc.constantFrom<AttemptFailure['kind'][]>(
      ...([
        'unreachable',
        'reset',
        'status',
        'first-byte-timeout',
        'first-token-timeout',
        'error-event',
        'broken',
      ] as const),
    ),
    status: fc.constantFrom(400, 401, 408, 429, 500, 503, 529),
    retryAfterMs: fc.option(fc.nat(20_000), { nil: undefined }),
    ms: fc.nat(5000),
  })

  test('ends after the attempts that are allowed, two at each target at most, and in time', () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(failures),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (script, attempts, targets, chance) => {
          const remaining = Array.from({ length: targets }, (_, at) => `t${at}`)
          const asked = [remaining.shift()!]
          let [elapsedMs, sameTargetTries, backoffs] = [0, 0, 0]
          for (const { ms, ...failure } of script) {
            assert.ok(elapsedMs <= policy.withinMs)
            elapsedMs += ms
            const attemptsLeft = attempts - asked.length
            const step = nextStep({
              verdict: judge(failure),
              failure,
              policy: { ...policy, attemptsLeft, elapsedMs, backoffs },
              sameTargetTries,
              remaining,
              random: () => chance,
            })
            if (step.do === 'give-up') break
            elapsedMs += step.afterMs
            if (step.do === 'again') {
              sameTargetTries++
              backoffs++
              asked.push(asked.at(-1)!)
            } else {
              sameTargetTries = 0
              assert.equal(step.target, remaining.shift())
              asked.push(step.target)
            }
          }
          assert.ok(asked.length <= attempts)
          for (const name of asked) assert.ok(asked.filter((each) => each === name).length <= 2)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
