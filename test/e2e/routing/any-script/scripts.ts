import fc from 'fast-check'
import type { AnswerPlan, ProtocolName, StreamPlan } from './answers.js'

/** What a target does when it is asked; `no-credentials`: our app has none for it at that moment. */
export type Step = AnswerPlan | 'no-credentials'

/** One exchange: what the client does, how the proxy is set up, and what the targets do. */
export interface Script {
  readonly protocol: ProtocolName
  readonly isStream: boolean
  /** Each target's steps, the last of which repeats; `refuses`: nothing listens there. */
  readonly targets: readonly (readonly Step[] | 'refuses')[]
  readonly setUp: SetUp
  /** When the client leaves: as an attempt is prepared, as a request arrives at a target, or after some bytes. */
  readonly leaving: { readonly on: 'prepare' | 'call' | 'bytes'; readonly count: number } | undefined
}

interface SetUp {
  readonly attempts: number
  /** 0 leaves no time for a second attempt. */
  readonly withinMs: number
  readonly hedge: { readonly afterMs: number; readonly max: number } | undefined
  readonly opensEarly: boolean
  readonly drains: boolean
  readonly preamble: { readonly events?: number; readonly bytes?: number; readonly ms?: number }
  readonly firstTokenTimeoutMs: number | false
  readonly backoffMs: readonly [number, number]
}

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const places = fc.array(share, { maxLength: 4 })

const status = fc.oneof(
  { weight: 12, arbitrary: fc.constant(200) },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...[400, 401, 402, 403, 404, 408, 409, 413, 422],
      ...[429, 429, 429, 500, 502, 503, 504, 529, 520],
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(201, 202, 204, 301, 302, 304, 307, 600, 999) },
  { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) },
)

const retryAfter: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.constantFrom<Record<string, string>>(
    ...[{ 'retry-after': '0' }, { 'retry-after': '1' }, { 'retry-after': '3600' }, { 'retry-after': 'soon' }],
    ...[{ 'retry-after-ms': '5' }, { 'retry-after-ms': '900' }, { 'retry-after': '0.004' }],
    { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' },
    { 'retry-after': 'Sun Nov  6 08:49:37 1994' },
    { 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' },
  ),
)

const errorType = fc.constantFrom(
  ...['overloaded_error', 'server_error', 'rate_limit_error', 'rate_limit_exceeded'],
  ...['insufficient_quota', 'invalid_request_error', 'authentication_error'],
)

const stream: fc.Arbitrary<StreamPlan> = fc.record({
  hasComment: fc.boolean(),
  contents: fc.integer({ min: 0, max: 3 }),
  ending: fc.oneof(
    { weight: 4, arbitrary: fc.constant('whole' as const) },
    fc.constantFrom('without-terminator' as const, 'none' as const),
  ),
  error: rarely(fc.record({ at: fc.nat(8), type: errorType, isTerminated: fc.boolean() })),
})

const cut = fc.record({
  at: fc.oneof(
    { weight: 3, arbitrary: share },
    fc.constant(0),
    // Of a short answer, nearly all is head.
    fc.double({ min: 0.9, max: 1, maxExcluded: true, noNaN: true }),
  ),
  how: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('reset' as const, 'end' as const) },
    { weight: 1, arbitrary: fc.constant('stall' as const) },
  ),
})

const answer: fc.Arbitrary<AnswerPlan> = fc.record({
  status,
  retryAfter,
  stream,
  json: fc.oneof(
    { weight: 4, arbitrary: fc.constant('answer' as const) },
    fc.constantFrom('error' as const, 'unfinished' as const, 'page' as const, 'empty' as const),
  ),
  bodyFraming: fc.constantFrom('chunked', 'length', 'close'),
  chunks: places,
  writes: places,
  cut: rarely(cut),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 15, arbitrary: answer },
  { weight: 1, arbitrary: fc.constant('no-credentials' as const) },
)

const target = fc.oneof(
  { weight: 8, arbitrary: fc.array(step, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant('refuses' as const) },
)

const setUp: fc.Arbitrary<SetUp> = fc.record({
  attempts: fc.integer({ min: 1, max: 6 }),
  withinMs: fc.oneof({ weight: 9, arbitrary: fc.constant(30_000) }, { weight: 1, arbitrary: fc.constant(0) }),
  hedge: rarely(fc.record({ afterMs: fc.integer({ min: 1, max: 8 }), max: fc.integer({ min: 1, max: 3 }) })),
  opensEarly: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  drains: fc.boolean(),
  preamble: fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    fc.record({ events: fc.nat(3) }),
    fc.record({ bytes: fc.nat(400) }),
    fc.record({ ms: fc.nat(10) }),
  ),
  firstTokenTimeoutMs: fc.constantFrom<false | number>(false, 400),
  backoffMs: fc.constantFrom<readonly [number, number]>([0, 0], [1, 4]),
})

export const anyScript: fc.Arbitrary<Script> = fc.record({
  protocol: fc.constantFrom('openai', 'anthropic'),
  isStream: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  targets: fc.array(target, { minLength: 1, maxLength: 4 }),
  setUp,
  leaving: rarely(
    fc.oneof(
      fc.record({ on: fc.constantFrom('prepare' as const, 'call' as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ on: fc.constant('bytes' as const), count: fc.nat(1500) }),
    ),
  ),
})

/** In a quarter of all values. */
function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
}
