/** A stretch of the calendar. Weeks begin on Monday (ISO 8601). */
export type CalendarUnit = 'day' | 'week' | 'month'

const DAY_MS = 24 * 60 * 60 * 1000

/** Returns whether the system knows a time zone by this name. */
export function isTimeZone(name: unknown): name is string {
  if (typeof name !== 'string') return false
  try {
    formatterOf(name)
    return true
  } catch {
    return false
  }
}

/**
 * Returns when the days, weeks or months around a moment begin in a time zone: the current one, the one before it, and the next
 * two. In milliseconds since the epoch, ascending.
 */
export function startsAround(now: number, unit: CalendarUnit, timeZone: string): readonly number[] {
  const { year, month, day } = dateAt(now, timeZone)
  // `Date.UTC` carries over: day 0, month 12.
  const dates = [-1, 0, 1, 2].map((offset) => {
    if (unit === 'day') return [year, month, day + offset] as const
    if (unit === 'month') return [year, month + offset, 1] as const
    const weekday = (new Date(Date.UTC(year, month, day)).getUTCDay() + 6) % 7
    return [year, month, day - weekday + 7 * offset] as const
  })
  return dates.map(([y, m, d]) => startOfDay(Date.UTC(y, m, d), timeZone))
}

/** Returns when a day begins. @param date midnight of the day in UTC */
function startOfDay(date: number, timeZone: string): number {
  // Offsets from UTC are below a day. Where clocks are put forward at midnight, the day begins later.
  let [early, late] = [date - DAY_MS, date + DAY_MS]
  while (late - early > 1) {
    const middle = Math.floor((early + late) / 2)
    if (localDate(middle, timeZone) < date) early = middle
    else late = middle
  }
  return late
}

/** Returns the local date at a moment, as its midnight in UTC. */
function localDate(at: number, timeZone: string): number {
  const { year, month, day } = dateAt(at, timeZone)
  return Date.UTC(year, month, day)
}

function dateAt(at: number, timeZone: string): { year: number; month: number; day: number } {
  const parts = Object.fromEntries(
    formatterOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  )
  return { year: parts.year!, month: parts.month! - 1, day: parts.day! }
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** @throws RangeError if there is no such time zone */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone)
  if (known) return known
  const options = { timeZone, calendar: 'gregory', numberingSystem: 'latn' } as const
  const created = new Intl.DateTimeFormat('en-US', { ...options, year: 'numeric', month: 'numeric', day: 'numeric' })
  formatters.set(timeZone, created)
  return created
}

/** The starts around now change once a day at most, and are asked for with each request. */
export class CalendarCache {
  readonly #known = new Map<string, readonly number[]>()

  startsAround(now: number, unit: CalendarUnit, timeZone: string): readonly number[] {
    const name = `${unit} ${timeZone}`
    const known = this.#known.get(name)
    if (known && known[1]! <= now && now < known[2]!) return known
    const starts = startsAround(now, unit, timeZone)
    this.#known.set(name, starts)
    return starts
  }
}
