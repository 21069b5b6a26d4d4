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
  readonly #series = new Map<string, number[]>()

  /** Adds the output of an answer that came to its end. */
  add(key: string, model: string | undefined, tokens: number): void {
    const name = nameOf(key, model)
    const series = this.#series.get(name) ?? []
    this.#series.delete(name)
    this.#series.set(name, series)
    series.push(tokens)
    if (series.length > SAMPLES) series.shift()
    if (this.#series.size <= MAX_SERIES) return
    const [oldest] = this.#series.keys()
    if (oldest !== undefined) this.#series.delete(oldest)
  }

  /** Returns the tokens to assume. */
  of(key: string, model: string | undefined): number {
    const series = this.#series.get(nameOf(key, model))
    if (!series || series.length < LEAST_SAMPLES) return DEFAULT_TOKENS
    const sorted = [...series].sort((a, b) => a - b)
    return sorted[Math.ceil(sorted.length * PERCENTILE) - 1]!
  }
}

function nameOf(key: string, model: string | undefined): string {
  return `${key}\n${model ?? ''}`
}
