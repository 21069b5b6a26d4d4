import { valueAt } from './fields.js'
import type { Usage } from './format.js'

type Figure = keyof Usage

/** Its type makes sure that none is forgotten. */
const everyFigure: Readonly<Record<Figure, true>> = {
  inputTokens: true,
  outputTokens: true,
  totalTokens: true,
  cachedInputTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
}
const figures = Object.keys(everyFigure) as readonly Figure[]

/**
 * Makes a function that finds the figures in what a provider tells of usage.
 *
 * @param spellings where each figure stands, as paths with dots. Where several have it, the first that is not 0 counts:
 *   servers that speak another's protocol fill in what they do not know with 0
 */
export function usageReader(
  spellings: Readonly<Partial<Record<Figure, readonly string[]>>>,
): (told: unknown) => Usage | undefined {
  const places = Object.entries(spellings).map(([name, paths]) => ({
    name: name as Figure,
    paths: paths.map((path) => path.split('.')),
  }))
  return (told) => {
    if (typeof told !== 'object' || told === null) return undefined
    return usageOf(places.map(({ name, paths }) => [name, strongest(paths.map((path) => valueAt(told, ...path)))]))
  }
}

/**
 * Merges figures that come in parts: what is told anew replaces what was known, for figures are totals so far. A figure
 * that is told as 0, or not at all, leaves a known one as it is: many providers repeat only what has changed.
 */
export function mergeUsage(known: Usage | undefined, told: Usage | undefined): Usage | undefined {
  return usageOf(figures.map((name) => [name, strongest([told?.[name], known?.[name]])]))
}

/** The first figure that is not 0; else 0, where one is told. */
function strongest(values: readonly unknown[]): number | undefined {
  const counts = values.filter(isCount)
  return counts.find((count) => count > 0) ?? counts[0]
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function usageOf(entries: readonly (readonly [Figure, number | undefined])[]): Usage | undefined {
  const told = entries.filter(([, count]) => count !== undefined)
  return told.length > 0 ? Object.fromEntries(told) : undefined
}
