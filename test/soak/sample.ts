/** The state of the watched process at one moment. */
export interface Sample {
  /** Bytes on the heap and outside it, after garbage collection. */
  readonly heldBytes: number
  /** What keeps its event loop alive, by kind. */
  readonly handles: Readonly<Record<string, number>>
  /** Of these, TCP connections. An agent's idle ones are not included, because they do not keep the event loop alive. */
  readonly sockets: number
  /** Connections to the provider, idle or not, as the provider counts them. */
  readonly upstream: number
  /** Exchanges in progress. */
  readonly active: number
  /** Attempts in progress at one of several targets. */
  readonly inFlight: number
  /** Bytes of request bodies that the middlewares hold, as they count them. */
  readonly bodyBytes: number
  /** What quotas and queues hold for exchanges. */
  readonly reserved: number
}

/** The kinds of handles of which there are more than before, with their number. */
export function moreHandles(before: Sample, after: Sample): string[] {
  return Object.entries(after.handles)
    .filter(([kind]) => !passing.has(kind))
    .flatMap(([kind, count]) => {
      const more = count - (before.handles[kind] ?? 0)
      return more > 0 ? [`${more} ${kind}`] : []
    })
}

/** The event loop's own, for one round: caused by the question over IPC. */
const passing = new Set(['Immediate', 'TickObject'])
