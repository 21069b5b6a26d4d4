import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ResponseHeaders, retryAfterMs, shouldRetry } from '../../lib/routing/retry-after.js'

/** A Sunday. */
const now = Date.UTC(1994, 10, 6, 8, 49, 30)

const rows: [headers: ResponseHeaders, ms: number | undefined][] = [
  [{}, undefined],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': ' 7 ' }, 7000],
  [{ 'retry-after': '1.5' }, 1500],
  [{ 'retry-after': '1.' }, 1000],
  [{ 'retry-after': '99999999999' }, 99_999_999_999_000],
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'retry-after-ms': '250.75' }, 250.75],
  [{ 'retry-after-ms': '0', 'retry-after': '7' }, 0],
  [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
  [{ 'retry-after-ms': 'soon', 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': '-1', 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': '250, 300', 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': 'Sun, 06 Nov 1994 08:49:37 GMT' }, undefined],
  [{ 'retry-after': ['7', '9'] }, 7000],
  [{ 'retry-after': [] }, undefined],
  // Dates: IMF-fixdate, RFC 850, asctime.
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }, 7000],
  [{ 'retry-after': 'Sunday, 06-Nov-94 08:49:37 GMT' }, 7000],
  [{ 'retry-after': 'Sun Nov  6 08:49:37 1994' }, 7000],
  [{ 'retry-after': 'Wed Nov 16 08:49:30 1994' }, 864_000_000],
  [{ 'retry-after': 'sun, 06 nov 1994 08:49:37 gmt' }, 7000],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:60 GMT' }, 30_000],
  [{ 'retry-after': 'Thu, 29 Feb 1996 00:00:00 GMT' }, Date.UTC(1996, 1, 29) - now],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:30 GMT' }, 0],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:29 GMT' }, 0],
  [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
  // 50 years ahead at most; 1945, not 2045.
  [{ 'retry-after': 'Sunday, 06-Nov-44 08:49:30 GMT' }, Date.UTC(2044, 10, 6, 8, 49, 30) - now],
  [{ 'retry-after': 'Monday, 06-Nov-45 08:49:37 GMT' }, 0],
  [{ 'retry-after': 'Saturday, 01-Jan-00 00:00:00 GMT' }, Date.UTC(2000, 0, 1) - now],
  // What cannot be read.
  ...[
    ...['', ' ', '-5', '+5', '5s', 'soon', 'NaN', 'Infinity', '-Infinity', '1e3', '0x10', '1,5', '5, 7', '.5', '1.2.3'],
    ...['9'.repeat(400), `${'9'.repeat(308)}`, '٣'],
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Wed, 29 Feb 1995 00:00:00 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun Nov 6 08:49:37 1994',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
  ].map((text): [ResponseHeaders, undefined] => [{ 'retry-after': text }, undefined]),
]

describe('how long to wait', () => {
  for (const [headers, ms] of rows) {
    const shown = JSON.stringify(headers)
    test(`${shown.length > 90 ? `${shown.slice(0, 90)}…` : shown} says ${ms} ms`, () =>
      assert.equal(retryAfterMs(headers, now), ms))
  }

  test('is what toUTCString() wrote, in each time zone', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), fc.nat(4_000_000_000), (at, seconds) => {
        const header = new Date((at + seconds) * 1000).toUTCString()
        assert.equal(retryAfterMs({ 'retry-after': header }, at * 1000), seconds * 1000)
      }),
    )
  })

  test('is never negative, infinite or NaN, whatever a header holds', () => {
    const text = fc.oneof(fc.string(), fc.double().map(String), fc.date().map(String))
    fc.assert(
      fc.property(text, text, (ms, after) => {
        const wait = retryAfterMs({ 'retry-after-ms': ms, 'retry-after': after }, now) ?? 0
        assert.ok(wait >= 0 && wait < Infinity)
      }),
    )
  })
})

describe('whether to try again', () => {
  for (const [says, expected] of [
    ['true', true],
    ['false', false],
    [' False ', false],
    ['', undefined],
    ['1', undefined],
    ['no', undefined],
    [undefined, undefined],
  ] as const) {
    test(`${says} says ${expected}`, () => assert.equal(shouldRetry({ 'x-should-retry': says }), expected))
  }
})
