const NO_EVENTS = { events: 0 }
const NO_BYTES = { bytes: 0 }

/** Counts what passes in an exchange, and the turns that it takes. */
export class Traffic {
  #requestBytes = 0
  #upstreamBytes = 0
  #turns = 0
  #busyMs = 0
  #maxTurnMs = 0
  #framer: { readonly events: number } = NO_EVENTS
  #downstream: { readonly bytes: number } = NO_BYTES

  get requestBytes(): number {
    return this.#requestBytes
  }

  countRequestBytes(count: number): void {
    this.#requestBytes += count
  }

  get upstreamBytes(): number {
    return this.#upstreamBytes
  }

  countUpstreamBytes(count: number): void {
    this.#upstreamBytes += count
  }

  get turns(): number {
    return this.#turns
  }

  get busyMs(): number {
    return this.#busyMs
  }

  get maxTurnMs(): number {
    return this.#maxTurnMs
  }

  countTurn(ms: number): void {
    this.#turns++
    this.#busyMs += ms
    if (ms > this.#maxTurnMs) this.#maxTurnMs = ms
  }

  /** Events that have passed. */
  get events(): number {
    return this.#framer.events
  }

  attachFramer(framer: { readonly events: number }): void {
    this.#framer = framer
  }

  /** Counts the bytes that the client gets. */
  get downstream(): { readonly bytes: number } {
    return this.#downstream
  }

  attachDownstream(downstream: { readonly bytes: number }): void {
    this.#downstream = downstream
  }
}
