import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AttemptFailure, judge, type Verdict } from '../../lib/routing/failure.js'

type Row = [
  reason: Verdict['reason'],
  same: Verdict['sameTarget'],
  next: Verdict['nextTarget'],
  cools: Verdict['cooling'],
]

const isJudged = (failure: AttemptFailure, [reason, sameTarget, nextTarget, cooling]: Row) =>
  assert.deepEqual(judge(failure), { reason, sameTarget, nextTarget, cooling })

const serverError: Row = ['server-error', 'after-backoff', true, 'by-rate']
const auth: Row = ['auth', 'no', true, 'credentials']
const final: Row = [undefined, 'no', false, 'no']

const rows: [kinds: AttemptFailure['kind'][], row: Row][] = [
  [
    ['unreachable', 'reset'],
    ['connection', 'at-once', true, 'now'],
  ],
  [
    ['first-byte-timeout', 'first-token-timeout'],
    ['timeout', 'after-backoff', true, 'by-rate'],
  ],
  [
    ['broken', 'error-event'],
    ['stream-error', 'after-backoff', true, 'by-rate'],
  ],
]

const statuses: [statuses: number[], row: Row][] = [
  [[408, 500, 502, 503, 504, 529], serverError],
  [[520, 521, 522, 523, 524, 525, 526, 527, 598, 599], serverError],
  [[429], ['rate-limit', 'after-retry-after', true, 'rate-limit']],
  [[401, 402, 403], auth],
  [[400, 404, 409, 413, 422], final],
  [[101, 300, 304, 307, 405, 406, 410, 415, 418, 421, 425, 451, 499, 501, 505, 507, 511, 528, 530, 597], final],
]

describe('a failure is judged', () => {
  for (const [kinds, row] of rows) for (const kind of kinds) test(`by its kind: ${kind}`, () => isJudged({ kind }, row))

  for (const [each, row] of statuses)
    for (const status of each) test(`by its status: ${status}`, () => isJudged({ kind: 'status', status }, row))

  test('as a server error if it has no status', () => isJudged({ kind: 'status' }, serverError))
})

describe('a failure of a request whose credentials are', () => {
  const coolingAt = (failure: AttemptFailure) => judge(failure).cooling
  for (const kind of ['status', 'error-event'] as const) {
    test(`those of the app cools the target: ${kind}`, () => {
      for (const credentialsOf of ['app', undefined] as const) {
        assert.equal(coolingAt({ kind, status: 401, credentialsOf }), 'credentials')
        assert.equal(coolingAt({ kind, status: 429, credentialsOf }), 'rate-limit')
      }
    })

    test(`those of the client does not cool it, if it is about them: ${kind}`, () => {
      for (const status of [401, 402, 403, 429])
        assert.equal(coolingAt({ kind, status, credentialsOf: 'client' }), 'no')
      assert.equal(coolingAt({ kind, status: 503, credentialsOf: 'client' }), 'by-rate')
    })
  }

  test('not those of the app is tried again as any other', () => {
    const failure = { kind: 'status', status: 429 } as const
    assert.deepEqual(judge({ ...failure, credentialsOf: 'client' }), { ...judge(failure), cooling: 'no' })
  })
})

describe('a failure whose target says itself', () => {
  for (const [each, [reason, , next, cools]] of statuses) {
    for (const status of each) {
      test(`that it would be the same again is not tried there again: ${status}`, () =>
        isJudged({ kind: 'status', status, shouldRetry: false }, [reason, 'no', next, cools]))

      test(`that it may pass is one that may, and no fault of the request: ${status}`, () =>
        isJudged({ kind: 'status', status, shouldRetry: true }, [
          reason ?? 'server-error',
          'after-backoff',
          true,
          cools === 'credentials' ? 'by-rate' : cools,
        ]))
    }
  }
})

describe('an error event before any content', () => {
  for (const [each, [, sameTarget, , cooling]] of statuses) {
    for (const status of each.filter((code) => code >= 400)) {
      test(`of status ${status} leads to the next target; all else follows from the status`, () =>
        isJudged({ kind: 'error-event', status }, ['stream-error', sameTarget, true, cooling]))
    }
  }

  for (const status of [undefined, 0, 200, 302, 1013, Number.NaN]) {
    test(`counts as a server error if it says ${status}`, () =>
      isJudged({ kind: 'error-event', status }, ['stream-error', 'after-backoff', true, 'by-rate']))
  }
})
