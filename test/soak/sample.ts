/** The watched process at a moment. */
export interface Sample {
  /** Heap in use and what it holds outside, garbage collected. */
  readonly heldBytes: number
  /** What keeps its event loop alive, by kind. */
  readonly handles: Readonly<Record<string, number>>
  /** Of these, TCP connections. An agent's idle ones are not among them: they keep no event loop alive. */
  readonly sockets: number
  /** Connections to the provider, idle or not, as the provider counts them. */
  readonly upstream: number
  /** Exchanges under way. */
  readonly active: number
}

/** The kinds of handles of which there are more than before, with how many. */
export function moreHandles(before: Sample, after: Sample): string[] {
  return Object.entries(after.handles)
    .filter(([kind]) => !passing.has(kind))
    .flatMap(([kind, count]) => {
      const more = count - (before.handles[kind] ?? 0)
      return more > 0 ? [`${more} ${kind}`] : []
    })
}

/** The event loop's own, there for one round: what the question over IPC sets off. */
const passing = new Set(['Immediate', 'TickObject'])
