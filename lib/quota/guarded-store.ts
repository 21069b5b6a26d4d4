import { inTime } from '../util/in-time.js'
import { isThenable } from '../util/promises.js'
import { MemoryStore } from './memory-store.js'
import type { Claim, Lease, QuotaStore, Reservation, Reserved, Settlement } from './store.js'

/** What is done while the store cannot be reached. */
export type WhenStoreFails = 'local' | 'open' | 'closed'

/** Settlements that wait for the store; a busy process has as many in a few minutes. */
const MAX_PENDING = 10_000
/** Settlements and renewals that are sent at once. */
const SENT_AT_ONCE = 50
/** Leases of one renewal: a store must be able to renew them in the time that it has for a call. */
const RENEWED_TOGETHER = 200
/** How long the store is left alone after a failure. */
const PROBE_MS = 1000

/** Where a reservation was made: nowhere if the store failed and requests pass. */
export type ReservedAt = 'store' | 'local' | 'nowhere'

/** A reservation's answer; `undefined` if the store failed, and quotas are set to refuse then. */
export type GuardedAnswer =
  | {
      readonly at: ReservedAt
      readonly reserved: Reserved | undefined
      /** The amounts that were asked for; in this process, from its share of the limit. */
      readonly claims: readonly Claim[]
    }
  | undefined

interface Settings {
  readonly whenFails: WhenStoreFails
  readonly instances: number
  readonly timeoutMs: number
  /** Called with each failure of the store. */
  readonly onFailure: (error: unknown) => void
  /** Monotonic, in milliseconds. */
  readonly now: () => number
}

/** A store that may be out of reach: bounds the wait for it, stands in for it, and later sends it what it has missed. */
export class GuardedStore {
  readonly #store: QuotaStore
  readonly #settings: Settings
  readonly #local = new MemoryStore()
  readonly #pending = new Map<string, Settlement>()
  #failedAt: number | undefined
  /** Calls of a store that has failed: one at a time finds out whether it is back, and the others do not wait for that. */
  #probes = 0
  #isCatchingUp = false
  #failures = 0
  #lost = 0

  constructor(store: QuotaStore, settings: Settings) {
    this.#store = store
    this.#settings = settings
  }

  /** Whether the last call failed. */
  get isDown(): boolean {
    return this.#failedAt !== undefined
  }

  /** Whether requests are counted in this process instead. */
  get isReplaced(): boolean {
    return this.isDown && this.#settings.whenFails === 'local'
  }

  get failures(): number {
    return this.#failures
  }

  /** Settlements that wait for the store, and that were given up because too many wait. */
  get missed(): { readonly pending: number; readonly lost: number } {
    return { pending: this.#pending.size, lost: this.#lost }
  }

  /**
   * Never rejects. Returns at once if the store does, or is left alone.
   *
   * @param isFurther the request is under way, and asks for more: what it holds is not given back if the store fails
   */
  reserve(reservation: Reservation, isFurther = false): GuardedAnswer | Promise<GuardedAnswer> {
    if (this.#isLeftAlone) return this.#instead(reservation)
    const { claims } = reservation
    try {
      const reserved = this.#ask(() => this.#store.reserve(reservation))
      if (!isThenable(reserved)) return { at: 'store', reserved, claims }
      return reserved.then(
        (answer) => ({ at: 'store', reserved: answer, claims }),
        (error) => this.#failed(error, reservation, isFurther),
      )
    } catch (error) {
      return this.#failed(error, reservation, isFurther)
    }
  }

  /**
   * Settles in the store, which gets it later if it cannot be reached. Never rejects.
   *
   * @param local the reservation to settle in this process, if it was made here
   */
  settle(settlement: Settlement, local: Settlement | undefined): void | Promise<void> {
    if (local) this.#local.settle(local)
    if (this.#isLeftAlone) return this.#remember(settlement)
    try {
      const settled = this.#ask(() => this.#store.settle(settlement))
      return settled?.catch((error) => this.#missed(error, settlement))
    } catch (error) {
      return this.#missed(error, settlement)
    }
  }

  /** Renews leases, and sends the store what it has missed. Never rejects. */
  async renew(leases: readonly Lease[], local: readonly Lease[], leaseMs: number): Promise<void> {
    if (local.length > 0) this.#local.renew(local, leaseMs)
    if (this.#isLeftAlone) return
    try {
      const parts: (readonly Lease[])[] = []
      for (let at = 0; at < leases.length; at += RENEWED_TOGETHER) parts.push(leases.slice(at, at + RENEWED_TOGETHER))
      await this.#sendAll(parts, (part) => this.#ask(() => this.#store.renew(part, leaseMs)))
      await this.#catchUp()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Sends the store what it has missed. */
  async #catchUp(): Promise<void> {
    if (this.#isCatchingUp) return
    this.#isCatchingUp = true
    try {
      await this.#sendAll([...this.#pending], async ([id, settlement]) => {
        await this.#ask(() => this.#store.settle(settlement))
        this.#pending.delete(id)
      })
    } finally {
      this.#isCatchingUp = false
    }
  }

  /**
   * Sends some at a time, because a slow store would take long for one after the other; but only one to a store of which it is
   * not known whether it is back.
   */
  async #sendAll<T>(items: readonly T[], send: (item: T) => unknown): Promise<void> {
    for (let at = 0; at < items.length; ) {
      const next = at + (this.isDown ? 1 : SENT_AT_ONCE)
      await Promise.all(items.slice(at, next).map(send))
      at = next
    }
  }

  get #isLeftAlone(): boolean {
    if (this.#failedAt === undefined) return false
    return this.#probes > 0 || this.#settings.now() - this.#failedAt < PROBE_MS
  }

  /** Calls the store, and bounds the wait for it: a client that has lost its server may keep a command for ever. */
  #ask<T>(call: () => T | Promise<T>): T | Promise<T> {
    const isProbe = this.#failedAt !== undefined
    const answer = call()
    if (!isThenable(answer)) {
      this.#failedAt = undefined
      return answer
    }
    if (isProbe) this.#probes++
    const over = () => {
      if (isProbe) this.#probes--
    }
    return inTime(answer, this.#settings.timeoutMs, 'The store').then(
      (given) => {
        over()
        this.#failedAt = undefined
        return given
      },
      (error) => {
        over()
        throw error
      },
    )
  }

  #failed(error: unknown, reservation: Reservation, isFurther: boolean): GuardedAnswer {
    this.#fail(error)
    const answer = this.#instead(reservation)
    const isTaken = answer !== undefined && (answer.reserved?.granted !== false || reservation.force === true)
    // The store may have taken it although its answer was lost: a request that is refused uses up nothing.
    if (!isTaken && !isFurther) this.#remember(givenBack(reservation))
    return answer
  }

  #instead(reservation: Reservation): GuardedAnswer {
    const { whenFails, instances } = this.#settings
    if (whenFails === 'closed') return undefined
    if (whenFails === 'open') return { at: 'nowhere', reserved: undefined, claims: reservation.claims }
    const share = (claim: Claim) => ({ ...claim, allowed: Math.max(1, Math.floor(claim.allowed / instances)) })
    const claims = reservation.claims.map((claim) => (claim.allowed === 0 ? claim : share(claim)))
    return { at: 'local', reserved: this.#local.reserve({ ...reservation, claims }), claims }
  }

  #missed(error: unknown, settlement: Settlement): void {
    this.#fail(error)
    this.#remember(settlement)
  }

  #remember(settlement: Settlement): void {
    if (this.#pending.size < MAX_PENDING) this.#pending.set(settlement.id, settlement)
    else this.#lost++
  }

  #fail(error: unknown): void {
    this.#failures++
    this.#failedAt = this.#settings.now()
    this.#settings.onFailure(error)
  }
}

/** Returns the settlement of a request that is refused. It keeps what it counted at once, because the window is not known. */
function givenBack({ id, slot, claims }: Reservation): Settlement {
  return { id, slot, charges: claims.map((claim) => ({ ...claim, amount: 0, takenBackFrom: undefined })) }
}
