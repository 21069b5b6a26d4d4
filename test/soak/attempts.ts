import type { AttemptRecord } from '../../lib/index.js'

/** What a record says of an attempt, as far as the provider can confirm it. */
export type ToldAttempt = Pick<AttemptRecord, 'target' | 'status' | 'code'>

/** The attempts in records, beside the requests that the provider saw. */
export class Attempts {
  recorded = 0
  /** Exchanges in which an attempt failed, and another one was made. */
  repeated = 0
  readonly #told = new Map<string, readonly ToldAttempt[]>()
  /** Targets that were asked, by exchange. */
  readonly #seen = new Map<string, string[]>()

  record(id: string, attempts: readonly ToldAttempt[]): void {
    this.recorded += attempts.length
    if (attempts.length > 1) this.repeated++
    this.#told.set(id, attempts)
  }

  /** Notes that a request arrived at a target. */
  see(id: string, target: string): void {
    const seen = this.#seen.get(id)
    if (seen) seen.push(target)
    else this.#seen.set(id, [target])
  }

  /**
   * Describes each exchange whose record does not have the attempts that the provider saw. It is known only when all is
   * over: the provider may see a request after the record of its exchange.
   */
  get mismatches(): string[] {
    const ids = new Set([...this.#told.keys(), ...this.#seen.keys()])
    return [...ids].flatMap((id) => {
      const [told, seen] = [this.#told.get(id) ?? [], this.#seen.get(id) ?? []]
      if (agree(told, seen)) return []
      return [`${id}: recorded ${textOf(told)}; seen ${seen.join(', ') || 'none'}`]
    })
  }
}

export function textOf(attempts: readonly ToldAttempt[]): string {
  const texts = attempts.map(({ target, status, code }) => [target, status, code].filter(Boolean).join(' '))
  return texts.join(', ') || 'none'
}

function agree(told: readonly ToldAttempt[], seen: readonly string[]): boolean {
  const names = new Set([...told.map(({ target }) => target), ...seen])
  return [...names].every((name) => {
    const here = told.filter(({ target }) => target === name)
    const count = seen.filter((target) => target === name).length
    const resent = here.filter(mayBeResent).length
    return here.filter(hasArrived).length <= count && count <= here.length + resent
  })
}

/** A request whose connection, used before, breaks at once is sent again on a new one, within the same attempt. */
function mayBeResent({ status, code }: ToldAttempt): boolean {
  return status === undefined && code === 'upstream_reset'
}

/** An attempt that was given up early, or found no connection, may not have reached the provider. */
function hasArrived({ status, code }: ToldAttempt): boolean {
  return status !== undefined || code === undefined || code === 'upstream_reset'
}
