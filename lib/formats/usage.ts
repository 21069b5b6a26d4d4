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
    let usage: Writable<Usage> | undefined
    for (const { name, paths } of places) {
      let count: number | undefined
      for (const path of paths) count = stronger(count, valueAt(told, ...path))
      usage = withFigure(usage, name, count)
    }
    return usage
  }
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

/**
 * Reasoning tokens that are no part of the output tokens. Gemini counts so
 * (https://ai.google.dev/api/generate-content#UsageMetadata), and others in OpenAI's protocol (xAI): nothing but the total
 * tells it.
 */
export function reasoningBesideOutput(usage: Usage): number {
  const { inputTokens = 0, outputTokens = 0, reasoningTokens = 0, totalTokens = 0 } = usage
  return totalTokens >= inputTokens + outputTokens + reasoningTokens ? reasoningTokens : 0
}
