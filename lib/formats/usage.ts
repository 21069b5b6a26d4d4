import { valueAt } from './fields.js'
import type { Counting, Usage } from './message.js'
import { tokensOf } from './tokens.js'

type Figure = keyof Usage

/** The type ensures that no figure is missing. */
const everyFigure: Readonly<Record<Figure, true>> = {
  inputTokens: true,
  outputTokens: true,
  totalTokens: true,
  cachedInputTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
  toolInputTokens: true,
  toolOutputTokens: true,
}
const figures = Object.keys(everyFigure) as readonly Figure[]

/**
 * Creates a function that reads the figures in a provider's usage. If the total and one of input and output are
 * reported, the other is the rest of the total.
 *
 * @param spellings where each figure is: dotted paths, or sums of such paths (`a + b`). If several have a value, the
 *   first that is not 0 counts: servers that use another's protocol send 0 for unknown figures
 * @param counting which of the provider's figures includes which
 */
export function usageReader(
  spellings: Readonly<Partial<Record<Figure, readonly string[]>>>,
  counting: Counting,
): (reported: unknown) => Usage | undefined {
  const places = Object.entries(spellings).map(([name, sums]) => ({
    name: name as Figure,
    sums: sums.map((sum) => sum.split(' + ').map((path) => path.split('.'))),
  }))
  return (reported) => {
    if (typeof reported !== 'object' || reported === null) return undefined
    let usage: Writable<Usage> | undefined
    for (const { name, sums } of places) {
      const count = firstNonZero(reported, sums)
      if (count === undefined) continue
      usage ??= {}
      usage[name] = count
    }
    return usage && inferMissing(usage, counting)
  }
}

type Path = readonly string[]

/** Returns the first sum that is not 0; otherwise 0 if one of them has a count. */
function firstNonZero(reported: object, sums: readonly (readonly Path[])[]): number | undefined {
  let count: number | undefined
  for (const paths of sums) {
    count = sumAt(reported, paths) ?? count
    if (count) return count
  }
  return count
}

function sumAt(reported: object, paths: readonly Path[]): number | undefined {
  let sum: number | undefined
  for (const path of paths) {
    const count = countIn(valueAt(reported, ...path))
    if (count !== undefined) sum = (sum ?? 0) + count
  }
  return sum
}

/**
 * Reads a count. Protocol buffers write whole numbers of 64 bits as strings:
 * https://protobuf.dev/programming-guides/json/
 */
function countIn(value: unknown): number | undefined {
  const count = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  return isCount(count) ? count : undefined
}

const DIGITS = /^\d{1,15}$/

/** Infers the missing one of input and output if the total leaves something for it. */
function inferMissing(usage: Usage, counting: Counting): Usage {
  const { inputTokens, outputTokens, totalTokens } = usage
  const missing = missingOf(inputTokens, outputTokens)
  if (totalTokens === undefined || missing === undefined) return usage
  const rest = totalTokens - tokensOf({ ...usage, totalTokens: 0 }, counting).total
  return rest > 0 ? { ...usage, [missing]: rest } : usage
}

function missingOf(inputTokens: number | undefined, outputTokens: number | undefined): Figure | undefined {
  if (inputTokens === undefined) return outputTokens === undefined ? undefined : 'inputTokens'
  return outputTokens === undefined ? 'outputTokens' : undefined
}

/**
 * Returns the larger of two counts of the same calls, figure by figure: a figure that only one of them has, or that is
 * 0 in one, is kept.
 */
export function largerUsage(one: Usage, other: Usage): Usage {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const counts = [one[name], other[name]].filter(isCount)
    usage = withFigure(usage, name, counts.length > 0 ? Math.max(...counts) : undefined)
  }
  return usage ?? {}
}

/** Returns the sum of usages, figure by figure. */
export function summedUsage(usages: readonly Usage[]): Usage | undefined {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const counts = usages.map((each) => each[name]).filter(isCount)
    usage = withFigure(usage, name, counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined)
  }
  return usage
}

/**
 * Merges figures that arrive in parts: newly reported ones replace known ones, because figures are totals so far. A
 * figure that is reported as 0, or missing, leaves a known one unchanged: many providers repeat only what has changed.
 */
export function mergeUsage(known: Usage | undefined, reported: Usage | undefined): Usage | undefined {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const count = preferNonZero(preferNonZero(undefined, reported?.[name]), known?.[name])
    usage = withFigure(usage, name, count)
  }
  return usage
}

/** Sets a figure, and creates the usage with the first one. */
function withFigure(usage: Writable<Usage> | undefined, name: Figure, count: number | undefined) {
  if (count === undefined) return usage
  const figures = usage ?? {}
  figures[name] = count
  return figures
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Returns the first of two counts that is not 0; otherwise 0 if one of them is a count. */
function preferNonZero(first: number | undefined, second: unknown): number | undefined {
  return first || !isCount(second) ? first : second
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
