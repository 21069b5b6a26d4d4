import { parseInteger } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { nameScripts } from './redis-name-scripts.js'
import { wholeMs } from './redis-time.js'

/** Names that are listed at once. */
const LISTED_AT_ONCE = 500

/** Values by name, each for a while, with one hash tag. */
export class RedisNames {
  readonly #link: RedisLink
  readonly #keys: RedisKeys
  readonly #process: string
  #puts = 0

  constructor(link: RedisLink, keys: RedisKeys, process: string) {
    this.#link = link
    this.#keys = keys
    this.#process = process
  }

  /** @returns whether it was set */
  async put(name: string, value: string, ttlMs: number, ifAbsent: boolean): Promise<boolean> {
    const mark = `${this.#process}${(this.#puts++).toString(36)}`
    const time = wholeMs(ttlMs)
    const args = [name, mark, value, time, ifAbsent ? '1' : '0']
    return isDone(await this.#link.run(nameScripts.put, this.#keysOf(name), args))
  }

  async get(name: string): Promise<string | undefined> {
    const [value] = await this.#values([name])
    return value
  }

  /** @returns whether it was removed */
  async drop(name: string, ifValue: string | undefined): Promise<boolean> {
    const args = ifValue === undefined ? [name] : [name, ifValue]
    return isDone(await this.#link.run(nameScripts.drop, this.#keysOf(name), args))
  }

  async list(prefix: string): Promise<(readonly [name: string, value: string])[]> {
    const found: (readonly [string, string])[] = []
    let last = ''
    while (true) {
      const names = await this.#link.run(nameScripts.list, [this.#keys.names], [prefix, last, String(LISTED_AT_ONCE)])
      if (!isTexts(names)) throw unexpected()
      if (names.length === 0) return found
      const values = await this.#values(names)
      for (const [index, name] of names.entries()) {
        const value = values[index]
        if (value !== undefined) found.push([name, value])
      }
      if (names.length < LISTED_AT_ONCE) return found
      last = names.at(-1)!
    }
  }

  async #values(names: readonly string[]): Promise<(string | undefined)[]> {
    const answer = await this.#link.run(
      nameScripts.get,
      names.map((name) => this.#keys.value(name)),
      [],
    )
    if (!Array.isArray(answer) || answer.length !== names.length || !answer.every(isTexts)) throw unexpected()
    return answer.map(([value]) => value)
  }

  #keysOf(name: string): string[] {
    return [this.#keys.value(name), this.#keys.names, this.#keys.expiries]
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isDone(answer: unknown): boolean {
  const done = parseInteger(answer)
  if (done !== 0 && done !== 1) throw unexpected()
  return done === 1
}

/** Its message has nothing of the answer. */
function unexpected(): Error {
  return new Error('Redis sent an unexpected answer about a name')
}
