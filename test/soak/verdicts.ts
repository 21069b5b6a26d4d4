import type { Accounts } from './accounts.js'
import { moreHandles, type Sample } from './sample.js'

export interface Verdict {
  readonly what: string
  readonly found: string
  readonly isFine: boolean
}

/** The observations of a soak. */
export interface Soak {
  readonly accounts: Accounts
  /** The counts of the middlewares themselves. */
  readonly counted: Readonly<Record<'exchanges' | 'ended' | 'inFlight' | 'bodyBytes' | 'reserved', number>>
  readonly clients: number
  /** Samples before the first exchange, between the laps with nothing in progress (the first after the warm-up), and after the end. */
  readonly start: Sample
  readonly quiet: readonly Sample[]
  readonly end: Sample
  /** Exchanges from the first quiet sample to the last. */
  readonly exchangesBetween: number
  /** Samples while it runs. */
  readonly busy: readonly Sample[]
}

/** Growth that code compilation and inline caches cause, however long it runs. */
const FREE_BYTES = 1024 * 1024
/** Less than the smallest thing that each exchange could leak, an object of a few fields or a listener. */
const BYTES_PER_EXCHANGE = 32

export function verdicts(soak: Soak): Verdict[] {
  const { accounts, counted, clients, start, quiet, end, exchangesBetween, busy } = soak
  const { begun, recorded, open, faults, attempts } = accounts
  const { mismatches } = attempts
  const grown = quiet.at(-1)!.heldBytes - quiet[0]!.heldBytes
  const mayGrow = FREE_BYTES + BYTES_PER_EXCHANGE * exchangesBetween
  const more = moreHandles(start, end)
  const most = {
    sockets: Math.max(...quiet.map(({ sockets }) => sockets)),
    upstream: Math.max(...quiet.map(({ upstream }) => upstream)),
  }
  const atRest = [...quiet, counted]
  const left = {
    inFlight: Math.max(...atRest.map(({ inFlight }) => inFlight)),
    bodyBytes: Math.max(...atRest.map(({ bodyBytes }) => bodyBytes)),
    reserved: Math.max(...atRest.map(({ reserved }) => reserved)),
  }
  const atOnce = Math.max(...busy.map(({ active }) => active))
  const reservedAtOnce = Math.max(...busy.map(({ reserved }) => reserved))
  const wrong = Object.entries(faults).filter(([, count]) => count > 0)
  return [
    {
      what: 'each exchange has its record',
      found: `${begun} begun, ${recorded} records, ${open.length} lost`,
      isFine: open.length === 0 && recorded === begun,
    },
    {
      what: 'none is double, unknown, or other than its kind is to end',
      found: wrong.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none',
      isFine: wrong.length === 0,
    },
    {
      what: 'stats() say the same',
      found: `${counted.exchanges} begun, ${counted.ended} ended`,
      isFine: counted.exchanges === begun && counted.ended === begun,
    },
    {
      what: 'the providers saw the attempts that the records have',
      found: `${attempts.recorded} attempts, ${mismatches.length} exchanges with others`,
      isFine: mismatches.length === 0,
    },
    {
      what: 'targets fail, and others take over',
      found: `in ${attempts.repeated} exchanges`,
      isFine: attempts.repeated > 0,
    },
    {
      what: 'with nothing under way, no target is busy, and no body is held',
      found: `${left.inFlight} attempts, ${left.bodyBytes} bytes`,
      isFine: left.inFlight === 0 && left.bodyBytes === 0,
    },
    {
      what: 'quotas and queues hold nothing with nothing under way, and much meanwhile',
      found: `${left.reserved}, ${reservedAtOnce}`,
      isFine: left.reserved === 0 && reservedAtOnce >= clients / 2,
    },
    {
      what: `heap: grows by less than ${kib(FREE_BYTES)} and ${BYTES_PER_EXCHANGE} bytes an exchange, warm-up left out`,
      found: `${kib(grown)} in ${exchangesBetween} exchanges (${kib(mayGrow)} allowed)`,
      isFine: grown <= mayGrow,
    },
    {
      // A client keeps one connection for its next request. A pool keeps as many as its middleware once used at a time.
      what: 'connections, with nothing under way: one a client, and two for it to the provider',
      found: `${most.sockets} and ${most.upstream} at most`,
      isFine: most.sockets <= clients && most.upstream <= 2 * clients,
    },
    {
      what: 'when all is closed: no connection to the provider, and no more handles than before the first exchange',
      found: [`${end.upstream} connections`, ...more].join(', '),
      isFine: end.upstream === 0 && more.length === 0,
    },
    {
      what: 'exchanges under way: nothing between the laps, hundreds within',
      found: `${Math.max(...quiet.map(({ active }) => active))}, ${atOnce}`,
      isFine: quiet.every(({ active }) => active === 0) && atOnce >= clients / 2,
    },
  ]
}

export function kib(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
}
