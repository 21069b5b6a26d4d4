/** A stretch of time in which a limit counts. */
export type Window =
  /** The last `ms` milliseconds, by a weighted pair of fixed windows. */
  | {
      /** It slides. */
      readonly kind: 'sliding'
      /** Its length. */
      readonly ms: number
    }
  /** A day, week or month. */
  | {
      /** It is one of the calendar's. */
      readonly kind: 'calendar'
      /** The beginnings around now, in milliseconds since the epoch, ascending. */
      readonly starts: readonly number[]
    }
  /** What is under way, and nothing else. */
  | {
      /** It has no time. */
      readonly kind: 'none'
    }

/** One limit of a key. Amounts are whole numbers: requests, tokens, or billionths of the currency. */
export interface Bucket {
  /** Whom it limits. */
  readonly key: string
  /** What it counts and for how long, unique within its key: `tokens:1d`. */
  readonly name: string
  /** The time in which it counts. */
  readonly window: Window
  /** How much may be used and held together. */
  readonly allowed: number
}

/** What a request needs of a bucket. */
export interface Claim extends Bucket {
  /** What it asks for. Nothing always has room, also if more was used than is allowed. */
  readonly amount: number
  /** It counts in the window at once, and for good: a request. Otherwise it is held until it is settled. */
  readonly countsAtOnce: boolean
}

/** A request that asks for all of its claims, or for more of what it has. */
export interface Reservation {
  /** Of the request; the same for all calls about it. */
  readonly id: string
  /** Requests of one slot are kept together: the tenant. */
  readonly slot: string
  /** All or none. */
  readonly claims: readonly Claim[]
  /** How long a lease lives unless it is renewed, in milliseconds. */
  readonly leaseMs: number
  /** Takes the claims even if they are more than is allowed. */
  readonly force?: boolean
}

/** A bucket as it stands. */
export interface BucketState {
  /** Counted in the current window. */
  readonly current: number
  /** Counted in the one before it. */
  readonly previous: number
  /** Held by requests under way. */
  readonly held: number
  /** The current window: its number, or its start. `undefined` if it has none. */
  readonly window: number | undefined
}

/** The answer to a reservation. */
export interface Reserved {
  /** All claims are met; otherwise nothing was taken, unless it was by force. */
  readonly granted: boolean
  /** The store's time, in milliseconds since the epoch. */
  readonly now: number
  /** The buckets in the order of the claims: after the reservation if it was granted, otherwise as they are. */
  readonly states: readonly BucketState[]
}

/** What a request has used of a bucket. */
export interface Charge extends Bucket {
  /** What is counted in the current window, in place of what was held; less than 0 is taken off. */
  readonly amount: number
  /** The window in which the request counted at once, if that is taken back: `amount` is then taken from it. */
  readonly takenBackFrom: number | undefined
  /** It is counted only if no reservation of the id has counted at once: whether one did is unknown if its answer was lost. */
  readonly unlessReserved?: boolean
  /** `false` leaves in a calendar window what exceeds it. Default: the next window has it. */
  readonly carries?: boolean
}

/** What becomes of what a request holds. */
export interface Settlement {
  /** Of the request. */
  readonly id: string
  /** As in its reservation. */
  readonly slot: string
  /** For each bucket of the request. */
  readonly charges: readonly Charge[]
}

/** What a request under way holds of one key. */
export interface Lease {
  /** Of the request. */
  readonly id: string
  /** As in its reservation. */
  readonly slot: string
  /** The key. */
  readonly key: string
  /** By the names of the buckets. */
  readonly held: Readonly<Record<string, number>>
}

/** A bucket of a key, for people. */
export interface KeyState extends BucketState {
  /** The bucket's. */
  readonly name: string
  /** As of the last reservation. */
  readonly allowed: number
  /** What the calendar's next window has taken over from this one. Default 0. */
  readonly carried?: number
}

/**
 * Where quotas are kept. Each method is atomic. A store that is somewhere else returns promises, and rejects if it cannot be
 * reached.
 */
export interface QuotaStore {
  /**
   * Takes all claims, or none. A second reservation of an id adds to what it holds, and counts no request again; one that arrives after its settlement takes
   * nothing, and is not granted.
   */
  reserve(reservation: Reservation): Reserved | Promise<Reserved>
  /** Gives back what an id holds, and counts what it has used; once: a repetition has no effect. */
  settle(settlement: Settlement): void | Promise<void>
  /** Extends leases, even those that have expired meanwhile: each then holds at least the amounts given here. */
  renew(leases: readonly Lease[], leaseMs: number): void | Promise<void>
  /** Returns the buckets of a key that have counted something. */
  read(key: string, slot: string): readonly KeyState[] | Promise<readonly KeyState[]>
  /** Forgets what was counted for a key. What is held stays. */
  reset(key: string, slot: string): void | Promise<void>
}
