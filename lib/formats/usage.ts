import { valueAt } from './fields.js'
import type { Counting, Usage } from './message.js'
import { tokensOf } from './tokens.js'

type Figure = keyof Usage

/** Its type makes sure that none is forgotten. */
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
 * Makes a function that finds the figures in what a provider tells of usage. Where a total is told and one of input and
 * output is not, it is the rest of the total.
 *
 * @param spellings where each figure stands, as paths with dots, or a sum of such paths (`a + b`). Where several have it,
 *   the first that is not 0 counts: servers that speak another's protocol fill in what they do not know with 0
 * @param counting what the provider's figures mean
 */
export function usageReader(
  spellings: Readonly<Partial<Record<Figure, readonly string[]>>>,
  counting: Counting,
): (told: unknown) => Usage | undefined {
  const places = Object.entries(spellings).map(([name, sums]) => ({
    name: name as Figure,
    sums: sums.map((sum) => sum.split(' + ').map((path) => path.split('.'))),
  }))
  return (told) => {
    if (typeof told !== 'object' || told === null) return undefined
    let usage: Writable<Usage> | undefined
    for (const { name, sums } of places) {
      let count: number | undefined
      for (const paths of sums) count = stronger(count, sumAt(told, paths))
      usage = withFigure(usage, name, count)
    }
    return usage && withRest(usage, counting)
  }
}

function sumAt(told: object, paths: readonly (readonly string[])[]): number | undefined {
  let sum: number | undefined
  for (const path of paths) {
    const count = valueAt(told, ...path)
    if (isCount(count)) sum = (sum ?? 0) + count
  }
  return sum
}

/** Fills in the one of input and output that is not told, where the total leaves something for it. */
function withRest(usage: Usage, counting: Counting): Usage {
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
 * The larger of two counts of the same calls, figure by figure: neither a figure that only one has nor one that is 0 there
 * is lost.
 */
export function largerUsage(one: Usage, other: Usage): Usage {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const counts = [one[name], other[name]].filter(isCount)
    usage = withFigure(usage, name, counts.length > 0 ? Math.max(...counts) : undefined)
  }
  return usage ?? {}
}

/** The sum of usages, figure by figure. */
export function summedUsage(usages: readonly Usage[]): Usage | undefined {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const counts = usages.map((each) => each[name]).filter(isCount)
    usage = withFigure(usage, name, counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined)
  }
  return usage
}

/**
 * Merges figures that come in parts: what is told anew replaces what was known, for figures are totals so far. A figure
 * that is told as 0, or not at all, leaves a known one as it is: many providers repeat only what has changed.
 */
export function mergeUsage(known: Usage | undefined, told: Usage | undefined): Usage | undefined {
  let usage: Writable<Usage> | undefined
  for (const name of figures) {
    const count = stronger(stronger(undefined, told?.[name]), known?.[name])
    usage = withFigure(usage, name, count)
  }
  return usage
}

/** There is no usage before there is a figure. */
function withFigure(usage: Writable<Usage> | undefined, name: Figure, count: number | undefined) {
  if (count === undefined) return usage
  const figures = usage ?? {}
  figures[name] = count
  return figures
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** The first of two counts that is not 0; else 0, where one of them is told. */
function stronger(first: number | undefined, second: unknown): number | undefined {
  return first || !isCount(second) ? first : second
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
