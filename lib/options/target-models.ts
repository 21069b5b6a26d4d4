import type { TargetModels } from '../api/targets.js'
import { MAX_MODEL_ID_LENGTH } from '../formats/index.js'
import { isObject } from '../json/json.js'
import { MAX_MODEL_LENGTH, withoutWildcard } from './models.js'
import { invalidOption } from './validate.js'

/** Which models a target serves, and how its provider calls them. */
export interface TargetModelRules {
  /**
   * Returns how the provider calls a model; `undefined` if the target does not serve it. A request that names no model
   * (`undefined`) is served, without a name: lists say which names lead to a target, not that a request must have one.
   *
   * @param model as the client calls it
   */
  modelFor(model: string | undefined): { readonly name: string | undefined } | undefined
  /** The names that clients can use; `undefined` if they are not all known: a RegExp is among them, or all are served. */
  readonly names: readonly string[] | undefined
  /** The provider calls some models otherwise than clients do. */
  readonly renames: boolean
}

const TAKES =
  "a list of names, RegExps and maps, or a map from the client's name of a model to the provider's: { fast: 'gpt-4.1-mini' }"

/**
 * Compiles the `models` of a target.
 *
 * @param optionName the option's name in errors: `targets[0].models`
 * @throws TypeError if it is neither a list of names, RegExps and maps, nor a map; if it is empty; if a name cannot be
 *   that of a model; or if one name has two meanings
 */
export function compileTargetModels(option: TargetModels | undefined, optionName: string): TargetModelRules {
  if (option === undefined) return all
  const rules: readonly unknown[] = Array.isArray(option) ? option : [option]
  if (!Array.isArray(option) && !isMap(option)) invalidOption(optionName, option, TAKES)
  if (rules.length === 0) invalidOption(optionName, option, 'a list with at least one name, RegExp or map')
  // A Map, because a client may call its model `constructor`.
  const byName = new Map<string, string>()
  const patterns: RegExp[] = []
  const add = (rule: string, name: string, providerName: string) => {
    const before = byName.get(name)
    if (before !== undefined && before !== providerName) {
      invalidOption(rule, providerName, `one meaning of ${JSON.stringify(name)}, which is ${before} before`)
    }
    byName.set(name, providerName)
  }
  for (const [at, rule] of rules.entries()) {
    const here = Array.isArray(option) ? `${optionName}[${at}]` : optionName
    // The flags `g` and `y` make a RegExp keep state between calls.
    if (rule instanceof RegExp) patterns.push(new RegExp(rule.source, rule.flags.replace(/[gy]/g, '')))
    else if (typeof rule === 'string') add(here, checkedClientName(here, rule), checkedProviderName(here, rule))
    else if (isMap(rule)) for (const [name, renamed] of entriesOf(here, rule)) add(`${here}.${name}`, name, renamed)
    else invalidOption(here, rule, "a model's name, a RegExp, or a map from the client's name to the provider's")
  }
  return {
    modelFor(model) {
      if (model === undefined) return ANY
      // Overlong names never reach the app's RegExps, which may take quadratic time for them.
      if (model.length > MAX_MODEL_LENGTH) return undefined
      const name = byName.get(model) ?? (patterns.some((pattern) => pattern.test(model)) ? model : undefined)
      return name === undefined ? undefined : { name }
    },
    names: patterns.length > 0 ? undefined : [...byName.keys()],
    renames: [...byName].some(([name, providerName]) => name !== providerName),
  }
}

const ANY = { name: undefined }
const all: TargetModelRules = {
  modelFor: (model) => (model === undefined ? ANY : { name: model }),
  names: undefined,
  renames: false,
}

/** Returns whether a value is a plain object: a Map, or an instance of a class, has its entries elsewhere. */
function isMap(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function entriesOf(option: string, map: Record<string, unknown>): [string, string][] {
  const entries = Object.entries(map)
  if (entries.length === 0) invalidOption(option, map, "a map with at least one of the client's names")
  return entries.map(([name, providerName]) => [
    checkedClientName(option, name),
    checkedProviderName(`${option}.${name}`, providerName),
  ])
}

function checkedClientName(option: string, name: string): string {
  if (name === '' || name.length > MAX_MODEL_LENGTH) {
    invalidOption(option, name, `names of models that have 1 to ${MAX_MODEL_LENGTH} characters`)
  }
  return withoutWildcard(option, name)
}

/** What no path may contain, however it is encoded: see `providerPath`. */
const UNSAFE = /[\\%?#\p{Cc}\p{Cs}]|^\s|\s$/u
/** An empty part, `.` or `..`, or what becomes one if a server strips its parameters (`..;x`). */
const DOTS = /(?:^|\/)\.{0,2}(?:[;/]|$)/

/** Checks that a name is safe in a path, because some protocols name the model there. */
function checkedProviderName(option: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') invalidOption(option, name, "the provider's name of a model")
  if (name.length > MAX_MODEL_ID_LENGTH || UNSAFE.test(name) || DOTS.test(name)) {
    invalidOption(option, name, 'a name that can stand in a path: without \\ % ? #, control characters, // and ..')
  }
  return name
}
