/** What an abort means: `stop` is a Stop button, `leave` a page that closes. To the server, both are a closed connection. */
export type OnAbort = 'stop' | 'leave'

/** What `streamsUrl` gets to find the URL of a stream. */
export interface StreamAddress {
  /** Id of the stream, from `x-stream-id`. */
  readonly id: string
  /** URL of the request that the stream answers. */
  readonly url: string
}

/** Where the streams are: the URL to which `/<id>` is added, or a function that returns a stream's own URL. */
export type StreamsUrl = string | ((stream: StreamAddress) => string)

/** A stream that broke, before an attempt to resume it. */
export interface StreamInterruption {
  /** Id of the stream, from `x-stream-id`. */
  readonly id: string
  /** The last event that arrived whole: `<epoch>.<n>`, or a count. */
  readonly after: string
  /** Which attempt follows, from 1; starts again after each event. */
  readonly attempt: number
  /** How long the attempt waits before it starts, in milliseconds. */
  readonly delayMs: number
  /** Whether the browser is offline: after the delay, the attempt then waits for the network. */
  readonly offline: boolean
  /** What broke the stream, or the attempt before. */
  readonly cause: unknown
}

/** A stream that continues. */
export interface StreamResumption {
  /** Id of the stream, from `x-stream-id`. */
  readonly id: string
  /** The event after which it continues: `<epoch>.<n>`, or a count. */
  readonly after: string
  /** How many attempts it took. */
  readonly attempts: number
}

/** How long attempts wait: a random time between 0 and a bound that doubles from one to the next. */
export interface ResumeBackoff {
  /** The bound before the first attempt, in milliseconds. Default 250. */
  readonly baseMs?: number | undefined
  /** The bound that is not exceeded, in milliseconds. Default 10,000. */
  readonly maxMs?: number | undefined
}

/** Options of `resumable()`. */
export interface ResumableOptions {
  /**
   * How many attempts an interruption may take before the body fails; an event that arrives ends the interruption.
   * Default 10. `false` never resumes.
   */
  readonly retries?: number | false | undefined
  /**
   * How long attempts wait. If the server asks for a longer wait with `retry-after`, that counts. Default: up to 250 ms
   * before the first attempt, up to 10 s before later ones.
   */
  readonly backoff?: ResumeBackoff | undefined
  /**
   * What it means to abort the request's signal, or to cancel its body, in the middle of the answer. `'stop'` also sends
   * a `DELETE`, so that the provider stops at once. `'leave'` only closes the connection: the provider goes on for
   * the server's `graceMs`, and the stream can be read later. Default `'stop'`.
   */
  readonly onAbort?: OnAbort | undefined
  /**
   * Where the server has its streams, if its `x-stream-url` cannot be used: because a proxy changes paths, or because
   * CORS hides the header. Either a URL to which `/<id>` is appended, such as `'/ai/-/streams'`, or a function that
   * returns the URL of a stream. Default: what `x-stream-url` says, on the origin of the request.
   */
  readonly streamsUrl?: StreamsUrl | undefined
  /** The longest event that is held until it is whole, in bytes; a longer one makes the body fail. `false` means no limit. Default 16 MiB. */
  readonly maxEventBytes?: number | false | undefined
  /** Called when the stream has broken, before each attempt to resume it: the place to show that it reconnects. Default: none. */
  readonly onInterrupted?: ((interruption: StreamInterruption) => void) | undefined
  /** Called when the server continues the stream. Default: none. */
  readonly onResumed?: ((resumption: StreamResumption) => void) | undefined
}

/** Options with their defaults. */
export interface ResolvedOptions {
  readonly retries: number
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  readonly onAbort: OnAbort
  readonly streamsUrl: StreamsUrl | undefined
  readonly maxEventBytes: number
  readonly onInterrupted: ResumableOptions['onInterrupted']
  readonly onResumed: ResumableOptions['onResumed']
}

const DEFAULTS = { retries: 10, baseMs: 250, maxMs: 10_000, maxEventBytes: 16 * 1024 * 1024 }
const NAMES = ['retries', 'backoff', 'onAbort', 'streamsUrl', 'maxEventBytes', 'onInterrupted', 'onResumed']

/** @throws TypeError that names the option, what it got and what it takes */
export function resolveOptions(options: ResumableOptions): ResolvedOptions {
  knownOnly('', options, NAMES)
  const { retries, backoff = {}, onAbort = 'stop', streamsUrl, maxEventBytes, onInterrupted, onResumed } = options
  knownOnly('backoff', backoff, ['baseMs', 'maxMs'])
  if (onAbort !== 'stop' && onAbort !== 'leave') invalid('onAbort', onAbort, "'stop' or 'leave'")
  if (streamsUrl !== undefined && typeof streamsUrl !== 'function' && (typeof streamsUrl !== 'string' || !streamsUrl)) {
    invalid('streamsUrl', streamsUrl, 'a URL or a function that returns one')
  }
  return {
    retries: retries === false ? 0 : numberFrom(0, 'retries', retries, DEFAULTS.retries, ' or false'),
    backoff: {
      baseMs: numberFrom(0, 'backoff.baseMs', backoff.baseMs, DEFAULTS.baseMs),
      maxMs: numberFrom(0, 'backoff.maxMs', backoff.maxMs, DEFAULTS.maxMs),
    },
    onAbort,
    streamsUrl,
    maxEventBytes:
      maxEventBytes === false
        ? Number.POSITIVE_INFINITY
        : numberFrom(1, 'maxEventBytes', maxEventBytes, DEFAULTS.maxEventBytes, ' or false'),
    onInterrupted: functionOf('onInterrupted', onInterrupted),
    onResumed: functionOf('onResumed', onResumed),
  }
}

function invalid(option: string, got: unknown, takes: string): never {
  const shown = typeof got === 'string' ? JSON.stringify(got) : String(got)
  throw new TypeError(`resumable: ${option} takes ${takes}; got ${shown}`)
}

function knownOnly(option: string, value: object, known: readonly string[]): void {
  // A list, or a promise that was not awaited, would pass for an object without options.
  if (!/^\[object (Object|Module)\]$/.test(Object.prototype.toString.call(value)))
    invalid(option || 'its second argument', value, 'an object')
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    const path = option ? `${option}.${name}` : name
    throw new TypeError(`resumable: there is no option ${path}; ${option || 'resumable'} takes ${known.join(', ')}`)
  }
}

function numberFrom(least: number, option: string, value: unknown, fallback: number, or = ''): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value >= least) return value
  return invalid(option, value, `a number of at least ${least}${or}`)
}

function functionOf<T>(option: string, value: T): T {
  return value === undefined || typeof value === 'function' ? value : invalid(option, value, 'a function')
}
