/** A fault to make in lib/ on purpose, and the tests that must notice it. */
export interface Mutation {
  /** The part of the package that it is about, for the report, and for `npm run mutate PART`. */
  readonly part: string
  /** Code that stands in lib/ exactly once, in whatever file. */
  readonly text: string
  /** What stands there instead: code that runs, and is wrong. */
  readonly becomes: string
  /** The test files that are run, the likeliest to notice it first. Paths from the project's root. */
  readonly tests: readonly string[]
}

/** Where a mutation is to be made, or why it cannot be made any more. */
export type Place = { readonly file: string; readonly mutated: string } | { readonly stale: string }

/**
 * Finds the place of a mutation by its text, so that it follows code that moves to another file.
 *
 * @param sources the code of lib/, by path
 * @param hasTest whether there is such a test file
 */
export function placeOf(
  mutation: Mutation,
  sources: ReadonlyMap<string, string>,
  hasTest: (path: string) => boolean,
): Place {
  const { text, becomes, tests } = mutation
  if (text === becomes) return { stale: 'it changes nothing' }
  const missing = tests.find((path) => !hasTest(path))
  if (missing !== undefined) return { stale: `there is no test ${missing}` }
  const files = [...sources].filter(([, code]) => code.includes(text))
  const [file, code] = files[0] ?? []
  if (file === undefined || code === undefined) return { stale: 'its text is no longer in lib/' }
  if (files.length > 1) return { stale: `its text is in ${files.map(([path]) => path).join(' and ')}` }
  const at = code.indexOf(text)
  if (code.includes(text, at + 1)) return { stale: `its text is in ${file} more than once` }
  return { file, mutated: code.slice(0, at) + becomes + code.slice(at + text.length) }
}

/**
 * Mutations of one part.
 *
 * @param tests what is run for those that name no tests of their own
 * @param changes of each its text, what that becomes, and its tests if they are others
 */
export function mutationsOf(
  part: string,
  tests: readonly string[],
  changes: readonly (readonly [text: string, becomes: string, ...tests: string[]])[],
): Mutation[] {
  return changes.map(([text, becomes, ...own]) => ({ part, text, becomes, tests: own.length > 0 ? own : tests }))
}
