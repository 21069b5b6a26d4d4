import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CalendarCache, type CalendarUnit, isTimeZone, startsAround } from '../../lib/quota/calendar.js'

const isoOf = (at: number) => new Date(at).toISOString().replace(':00.000Z', 'Z')

/** Each row: what it is about, now, unit, zone, and the starts of the last, the current and the next two. */
const rows: readonly (readonly [string, string, CalendarUnit, string, readonly string[]])[] = [
  [
    'days in UTC',
    '2026-11-29T01:00Z',
    'day',
    'UTC',
    ['2026-11-28T00:00Z', '2026-11-29T00:00Z', '2026-11-30T00:00Z', '2026-12-01T00:00Z'],
  ],
  [
    'a day begins with its first millisecond',
    '2026-11-29T00:00Z',
    'day',
    'UTC',
    ['2026-11-28T00:00Z', '2026-11-29T00:00Z', '2026-11-30T00:00Z', '2026-12-01T00:00Z'],
  ],
  [
    'a day of 23 hours in Berlin',
    '2026-03-29T12:00Z',
    'day',
    'Europe/Berlin',
    ['2026-03-27T23:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z', '2026-03-30T22:00Z'],
  ],
  [
    'a day of 25 hours in Berlin',
    '2026-10-25T12:00Z',
    'day',
    'Europe/Berlin',
    ['2026-10-23T22:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z', '2026-10-26T23:00Z'],
  ],
  [
    'midnight does not exist in São Paulo: the day begins at one',
    '2018-11-04T12:00Z',
    'day',
    'America/Sao_Paulo',
    ['2018-11-03T03:00Z', '2018-11-04T03:00Z', '2018-11-05T02:00Z', '2018-11-06T02:00Z'],
  ],
  [
    'eleven at night comes twice in São Paulo: the day begins once, after the second one',
    '2018-02-17T12:00Z',
    'day',
    'America/Sao_Paulo',
    ['2018-02-16T02:00Z', '2018-02-17T02:00Z', '2018-02-18T03:00Z', '2018-02-19T03:00Z'],
  ],
  [
    'an offset of three quarters of an hour',
    '2026-06-01T00:00Z',
    'day',
    'Asia/Kathmandu',
    ['2026-05-30T18:15Z', '2026-05-31T18:15Z', '2026-06-01T18:15Z', '2026-06-02T18:15Z'],
  ],
  [
    'fourteen hours before UTC',
    '2026-06-01T00:00Z',
    'day',
    'Pacific/Kiritimati',
    ['2026-05-30T10:00Z', '2026-05-31T10:00Z', '2026-06-01T10:00Z', '2026-06-02T10:00Z'],
  ],
  [
    'weeks begin on Monday, also for a Sunday',
    '2026-11-29T12:00Z',
    'week',
    'UTC',
    ['2026-11-16T00:00Z', '2026-11-23T00:00Z', '2026-11-30T00:00Z', '2026-12-07T00:00Z'],
  ],
  [
    'a Monday begins its week',
    '2026-11-30T00:00Z',
    'week',
    'UTC',
    ['2026-11-23T00:00Z', '2026-11-30T00:00Z', '2026-12-07T00:00Z', '2026-12-14T00:00Z'],
  ],
  [
    'a week over the end of the year and a change of clocks',
    '2026-03-28T12:00Z',
    'week',
    'Europe/Berlin',
    ['2026-03-15T23:00Z', '2026-03-22T23:00Z', '2026-03-29T22:00Z', '2026-04-05T22:00Z'],
  ],
  [
    'months of 31, 28 and 31 days',
    '2026-01-31T23:59Z',
    'month',
    'UTC',
    ['2025-12-01T00:00Z', '2026-01-01T00:00Z', '2026-02-01T00:00Z', '2026-03-01T00:00Z'],
  ],
  [
    'the end of a leap February',
    '2028-02-29T12:00Z',
    'month',
    'UTC',
    ['2028-01-01T00:00Z', '2028-02-01T00:00Z', '2028-03-01T00:00Z', '2028-04-01T00:00Z'],
  ],
  [
    'a month that has begun in the zone and not in UTC',
    '2026-11-30T23:30Z',
    'month',
    'Europe/Berlin',
    ['2026-10-31T23:00Z', '2026-11-30T23:00Z', '2026-12-31T23:00Z', '2027-01-31T23:00Z'],
  ],
]

describe('the stretches of the calendar around a moment', () => {
  for (const [name, now, unit, zone, expected] of rows) {
    test(name, () => assert.deepEqual(startsAround(Date.parse(now), unit, zone).map(isoOf), expected))
  }

  test('at every hour of a year, now lies in the second of them, and they touch', () => {
    const zones = ['Europe/Berlin', 'America/Sao_Paulo', 'Australia/Lord_Howe']
    for (const zone of zones) {
      const cache = new CalendarCache()
      let last: readonly number[] | undefined
      for (let now = Date.UTC(2018, 0, 1); now < Date.UTC(2019, 0, 1); now += 3_600_000) {
        const starts = cache.startsAround(now, 'day', zone)
        assert.ok(starts[1]! <= now && now < starts[2]!, `${zone} ${isoOf(now)}`)
        if (last && last !== starts) assert.deepEqual(starts.slice(0, 3), last.slice(1), `${zone} ${isoOf(now)}`)
        last = starts
      }
    }
  })
})

test('a cache keeps what is still true, by unit and zone, also if clocks are put back', () => {
  const cache = new CalendarCache()
  const noon = Date.parse('2026-11-29T12:00Z')
  const today = cache.startsAround(noon, 'day', 'UTC')
  assert.equal(cache.startsAround(noon + 1, 'day', 'UTC'), today)
  assert.notEqual(cache.startsAround(noon, 'day', 'Europe/Berlin'), today)
  assert.notEqual(cache.startsAround(noon, 'month', 'UTC'), today)
  assert.equal(cache.startsAround(noon + 86_400_000, 'day', 'UTC')[0], today[1])
  assert.deepEqual(cache.startsAround(noon, 'day', 'UTC'), today)
})

test('time zones are known by their names', () => {
  assert.deepEqual(['UTC', 'Europe/Berlin', 'Mars/Olympus', '', 5, undefined].map(isTimeZone), [
    true,
    true,
    false,
    false,
    false,
    false,
  ])
})
