import { firstIndex } from '../util/first-index.js'

/** What is assumed of a model of which nothing is known. */
const DEFAULT_TOKENS = 1000
const SAMPLES = 100
/** Fewer say little about the tenth that is longest. */
const LEAST_SAMPLES = 10
const PERCENTILE = 0.9
/** Of keys and models; the one that was used longest ago goes. */
const MAX_SERIES = 5000

/** The output that requests of a key and a model may have, by what the last ones had: their 90th percentile. */
export class AssumedOutput {
  readonly #series = new Map<string, Series>()

  /** Adds the output of an answer that came to its end. */
  add(key: string, model: string | undefined, tokens: number): void {
    const name = nameOf(key, model)
    const series = this.#series.get(name) ?? new Series()
    this.#series.delete(name)
    this.#series.set(name, series)
    series.add(tokens)
    if (this.#series.size <= MAX_SERIES) return
    const [oldest] = this.#series.keys()
    if (oldest !== undefined) this.#series.delete(oldest)
  }

  /** Returns the tokens to assume. */
  of(key: string, model: string | undefined): number {
    return this.#series.get(nameOf(key, model))?.assumed ?? DEFAULT_TOKENS
  }
}

/** The last samples, which stay sorted: each request asks for the percentile. */
class Series {
  /** In a ring, as they came. */
  readonly #recent: number[] = []
  readonly #sorted: number[] = []
  #next = 0

  /** `undefined` if too little is known. */
  get assumed(): number | undefined {
    const sorted = this.#sorted
    return sorted.length < LEAST_SAMPLES ? undefined : sorted[Math.ceil(sorted.length * PERCENTILE) - 1]
  }

  add(tokens: number): void {
    const oldest = this.#recent[this.#next]
    if (oldest !== undefined) this.#sorted.splice(this.#placeOf(oldest), 1)
    this.#sorted.splice(this.#placeOf(tokens), 0, tokens)
    this.#recent[this.#next] = tokens
    this.#next = (this.#next + 1) % SAMPLES
  }

  /** Index of the first that is not smaller. */
  #placeOf(tokens: number): number {
    return firstIndex(this.#sorted.length, (index) => this.#sorted[index]! >= tokens)
  }
}

function nameOf(key: string, model: string | undefined): string {
  return `${key}\n${model ?? ''}`
}
