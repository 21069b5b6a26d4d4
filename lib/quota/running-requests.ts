import type { GuardedStore } from './guarded-store.js'
import type { QuotaRun } from './quota-run.js'

/** The requests that hold something. Their leases are renewed until they are settled. */
export class RunningRequests {
  readonly #store: GuardedStore
  readonly #leaseMs: number
  readonly #runs = new Map<string, QuotaRun>()
  readonly #settling = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined

  constructor(store: GuardedStore, leaseMs: number) {
    this.#store = store
    this.#leaseMs = leaseMs
  }

  get size(): number {
    return this.#runs.size
  }

  get(id: string): QuotaRun | undefined {
    return this.#runs.get(id)
  }

  add(run: QuotaRun): void {
    this.#runs.set(run.id, run)
    this.schedule()
  }

  /** @returns the run of an exchange that has ended */
  take(id: string): QuotaRun | undefined {
    const run = this.#runs.get(id)
    this.#runs.delete(id)
    return run
  }

  /** Waits for a settlement when all is closed. */
  track(settling: void | Promise<void>): void | Promise<void> {
    if (!settling) return this.schedule()
    this.#settling.add(settling)
    return settling.finally(() => {
      this.#settling.delete(settling)
      this.schedule()
    })
  }

  /** Renews while there are leases to renew, or settlements that the store has missed. */
  schedule(): void {
    if (this.#runs.size === 0 && this.#store.missed.pending === 0) return this.#unschedule()
    this.#timer ??= setInterval(() => void this.#renew(), this.#leaseMs / 3).unref()
  }

  async close(): Promise<void> {
    // What fails is reported with its exchange, and must not keep the store from the rest.
    await Promise.allSettled(this.#settling)
    await this.#renew()
    // Another middleware may share this quota: its exchanges still need their leases.
    if (this.#runs.size === 0) this.#unschedule()
  }

  #unschedule(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #renew(): Promise<void> {
    const runs = [...this.#runs.values()]
    const leasesOf = (some: readonly QuotaRun[]) => some.flatMap((run) => run.leases())
    const local = runs.filter((run) => run.isLocal)
    // A store that is back learns of what began while it was away.
    await this.#store.renew(leasesOf(runs), leasesOf(local), this.#leaseMs)
    if (this.#timer) this.schedule()
  }
}
