/** Names of the keys of a journal in Redis. What one script touches has one hash tag, so that a cluster keeps it together. */
export class RedisKeys {
  /** Scores are when a process counts as gone unless it says that it is alive, by the clock of Redis. */
  readonly alive: string
  /** All names, with the score 0, so that those with a prefix are found. */
  readonly names: string
  /** All names by when they expire. */
  readonly expiries: string
  readonly #base: string

  constructor(prefix: string, tag: number) {
    this.#base = `${prefix}{${tag}}`
    this.alive = `${this.#base}alive`
    this.names = `${this.#base}names`
    this.expiries = `${this.#base}expiries`
  }

  /** Messages to a process. */
  inbox(process: string): string {
    return `${this.#base}inbox:${process}`
  }

  /** What is known of an entry. */
  entry(id: string): string {
    return `${this.#base}entry:${id}`
  }

  /** The events of an entry. */
  stream(id: string): string {
    return `${this.#base}events:${id}`
  }

  value(name: string): string {
    return `${this.#base}name:${name}`
  }
}

/** Tags of a journal in a cluster: each is in one hash slot, and has one connection that waits in each process. */
const CLUSTER_TAGS = 8

/** Returns how many tags a journal has. */
export function tagCount(isCluster: boolean): number {
  return isCluster ? CLUSTER_TAGS : 1
}

/** Returns the number of the tag of an id or a name: FNV-1a, because all processes must agree. */
export function tagOf(text: string, count: number): number {
  if (count === 1) return 0
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % count
}
