import type { RedisClient, RedisScript } from '../util/redis-client.js'

/** Calls that may wait at once. A client that has lost its server keeps them. */
const MAX_CALLS = 10_000

interface LinkSettings {
  readonly timeoutMs: number
  /** A call has failed. */
  onFailure(error: unknown): void
  /** Redis is out of reach from now on. */
  onDown(error: unknown): void
  /** Redis answers again. */
  onUp(): void
}

/**
 * Calls Redis, and bounds how long that may take. After a failure every call fails at once, until a probe succeeds: neither
 * callers nor what the client keeps for a server that is away may pile up.
 */
export class RedisLink {
  readonly #client: RedisClient
  readonly #settings: LinkSettings
  /** Calls that the client has not settled, including those that took too long. */
  #calls = 0
  #downBecause: { readonly error: unknown } | undefined

  constructor(client: RedisClient, settings: LinkSettings) {
    this.#client = client
    this.#settings = settings
  }

  /** Whether the last call failed. */
  get isDown(): boolean {
    return this.#downBecause !== undefined
  }

  /** Why calls fail at once. */
  get error(): unknown {
    return this.#downBecause?.error
  }

  /**
   * Runs a script.
   *
   * @param onSettled called when the client has nothing of the call any more, which may be long after it has failed here
   */
  run(script: RedisScript, keys: string[], args: string[], onSettled?: () => void): Promise<unknown> {
    if (!this.#downBecause && this.#calls < MAX_CALLS) return this.#call(script, keys, args, onSettled)
    onSettled?.()
    return Promise.reject(this.#downBecause?.error ?? new Error('Too many calls of Redis wait for an answer'))
  }

  /** Whether a probe may be made: what the client keeps from before has been settled. */
  get isFree(): boolean {
    return this.#calls === 0
  }

  /** Runs a script although the last call failed. */
  probe(script: RedisScript, keys: string[], args: string[]): Promise<unknown> {
    return this.#call(script, keys, args, undefined)
  }

  /** Notes that a call on another connection has failed. */
  fail(error: unknown): void {
    this.#settings.onFailure(error)
  }

  #call(script: RedisScript, keys: string[], args: string[], onSettled: (() => void) | undefined): Promise<unknown> {
    this.#calls++
    return new Promise((resolve, reject) => {
      let isOver = false
      const failed = (error: unknown) => {
        isOver = true
        this.#settings.onFailure(error)
        if (!this.#downBecause) {
          this.#downBecause = { error }
          this.#settings.onDown(error)
        }
        reject(error)
      }
      const { timeoutMs } = this.#settings
      const timer = setTimeout(() => failed(new Error(`Redis gave no answer in ${timeoutMs} ms`)), timeoutMs).unref()
      const settle = (over: () => void) => {
        clearTimeout(timer)
        this.#calls--
        if (!isOver) over()
        onSettled?.()
      }
      script.run(this.#client, keys, args).then(
        (answer) =>
          settle(() => {
            resolve(answer)
            if (!this.#downBecause) return
            this.#downBecause = undefined
            this.#settings.onUp()
          }),
        (error) => settle(() => failed(error)),
      )
    })
  }
}
