import { isDeepStrictEqual } from 'node:util'
import type { ModelOptions } from '../api/options.js'
import { valueAt } from '../formats/fields.js'
import type { CompleteFormat } from '../formats/index.js'
import { type FieldPath, outputLimitPaths } from '../formats/output-limits.js'
import type { Edit, ObjectEdit } from '../json/apply-edit.js'
import { isObject } from '../json/json.js'

type Json = Record<string, unknown>

/** In `modelOptions` it stands for the field that the request's format has for it. */
const MAX_OUTPUT_TOKENS = 'maxOutputTokens'

/** What a request with `modelOptions` is about. */
export interface Target {
  readonly format: CompleteFormat
  /** It can generate text; otherwise `maxOutputTokens` has no place in it. */
  readonly generates: boolean
  /** The provider's, without the query. */
  readonly url?: string
}

/**
 * Carries `modelOptions` out on a request: defaults where it says nothing, overrides in any case. Objects are merged at
 * any depth, lists are values. Only the fields that the options name are looked at, however large the request is.
 *
 * @param body is changed in place
 * @returns the edit that does the same to its text; `undefined` if there is nothing to change
 */
export function applyModelOptions(body: Json, options: ModelOptions, target: Target): ObjectEdit | undefined {
  const { defaults, overrides, forbidden } = inOwnFields(options, body, target)
  return applied(body, defaults, overrides, forbidden)
}

/** The fields that these options are about, in a request of this format: each with the names of what it stands in. */
export function pathsOf({ defaults = {}, overrides = {} }: ModelOptions, body: Json, target: Target): FieldPath[] {
  const named = [defaults, overrides].flatMap((options) => pathsIn(without(options, MAX_OUTPUT_TOKENS)))
  named.push(...inExtraBody(overrides, pathsIn))
  const limitsOutput = target.generates && [defaults, overrides].some((options) => MAX_OUTPUT_TOKENS in options)
  return limitsOutput ? [...named, ...limitPaths(body, target)] : named
}

function pathsIn(object: Json): FieldPath[] {
  return Object.entries(object).flatMap(([key, value]) => [
    [key],
    ...(isObject(value) ? pathsIn(value).map((path) => [key, ...path]) : []),
  ])
}

/** The same without the objects that they stand in. */
function leavesIn(object: Json): FieldPath[] {
  return Object.entries(object).flatMap(([key, value]) =>
    isObject(value) ? leavesIn(value).map((path) => [key, ...path]) : [[key]],
  )
}

/** Gateways put what stands there over the fields beside it. */
const EXTRA_BODY = 'extra_body'

/** Where what overrides rule would be got round. */
function inExtraBody(overrides: Json, pathsOf: (object: Json) => FieldPath[]): FieldPath[] {
  const ruled = without(without(overrides, MAX_OUTPUT_TOKENS), EXTRA_BODY)
  return pathsOf(ruled).map((path) => [EXTRA_BODY, ...path])
}

function limitPaths(body: Json, { format, url }: Target): FieldPath[] {
  const path = format.maxOutputTokensPath(body, url)
  return path.length === 0 ? [] : [path, ...(format.otherLimitPaths ?? []), ...outputLimitPaths]
}

/** Fields that must not be in a request, whatever the client says: a tree of their names. */
type Forbidden = Map<string, Forbidden | true>

/** The options with `maxOutputTokens` in the field in which the provider takes it. */
interface OwnFields {
  readonly defaults: Json
  readonly overrides: Json
  readonly forbidden: Forbidden
}

function inOwnFields({ defaults = {}, overrides = {} }: ModelOptions, body: Json, target: Target): OwnFields {
  const roundabout = inExtraBody(overrides, leavesIn)
  const own = {
    defaults: without(defaults, MAX_OUTPUT_TOKENS),
    overrides: without(overrides, MAX_OUTPUT_TOKENS),
    forbidden: treeOf(roundabout, []),
  }
  const isOverride = MAX_OUTPUT_TOKENS in overrides
  if (!target.generates || !(isOverride || MAX_OUTPUT_TOKENS in defaults)) return own
  // The field follows from the model that is asked in the end.
  const model = overrides.model ?? body.model ?? defaults.model
  const [path, ...others] = limitPaths(model === body.model ? body : { ...body, model }, target)
  if (!path) return own
  if (isOverride) {
    const limit = nested(path, overrides[MAX_OUTPUT_TOKENS])
    return { ...own, overrides: merged(own.overrides, limit), forbidden: treeOf([...roundabout, ...others], path) }
  }
  const isSaid = [path, ...others].some((each) => (valueAt(body, ...each) ?? undefined) !== undefined)
  if (isSaid) return own
  return { ...own, defaults: merged(own.defaults, nested(path, defaults[MAX_OUTPUT_TOKENS])) }
}

function applied(body: Json, defaults: Json, overrides: Json, forbidden: Forbidden): ObjectEdit | undefined {
  const fields = new Map<string, Edit | undefined>()
  const added = new Map<string, string>()
  for (const name of new Set([...Object.keys(defaults), ...Object.keys(overrides), ...forbidden.keys()])) {
    const isThere = Object.hasOwn(body, name)
    const value = valueAt(body, name)
    const filling = valueAt(defaults, name)
    const ruling = valueAt(overrides, name)
    const isRuled = Object.hasOwn(overrides, name)
    const banned = forbidden.get(name)
    if (isObject(value) && banned !== true && (isObject(ruling) || !isRuled)) {
      const edit = applied(value, objectOr(filling), objectOr(ruling), banned ?? new Map())
      if (edit) fields.set(name, edit)
      continue
    }
    if (isThere && !isRuled && banned !== true) continue
    const filled = isThere ? undefined : allowed(filling, banned)
    const wanted = isRuled && isObject(filled) && isObject(ruling) ? merged(filled, ruling) : isRuled ? ruling : filled
    // The app's own objects stay out of a request, where a hook may change them. What JSON cannot say goes away.
    const text = JSON.stringify(wanted) as string | undefined
    const said = text === undefined ? undefined : (JSON.parse(text) as unknown)
    if (isThere && said === undefined) {
      fields.set(name, undefined)
      delete body[name]
    } else if (text !== undefined && !(isThere && isDeepStrictEqual(value, said))) {
      if (isThere) fields.set(name, text)
      else added.set(name, text)
      define(body, name, said)
    }
  }
  return fields.size + added.size === 0 ? undefined : { kind: 'object', fields, added }
}

/** A default without what is forbidden in it. */
function allowed(value: unknown, forbidden: Forbidden | true | undefined): unknown {
  if (forbidden === true) return undefined
  if (!forbidden || !isObject(value)) return value
  const rest: Json = {}
  for (const [name, inner] of Object.entries(value)) {
    const kept = allowed(inner, forbidden.get(name))
    if (kept !== undefined) define(rest, name, kept)
  }
  return rest
}

function treeOf(paths: readonly FieldPath[], except: FieldPath): Forbidden {
  const root: Forbidden = new Map()
  for (const path of paths) if (!isDeepStrictEqual(path, except)) forbid(root, path)
  return root
}

function forbid(tree: Forbidden, [name, ...rest]: FieldPath): void {
  if (name === undefined) return
  const inner = tree.get(name)
  if (inner === true) return
  const below = inner ?? new Map()
  tree.set(name, rest.length === 0 ? true : below)
  forbid(below, rest)
}

function nested(path: FieldPath, value: unknown): Json {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Json
}

function objectOr(value: unknown): Json {
  return isObject(value) ? value : {}
}

function without(object: Json, name: string): Json {
  const { [name]: _, ...rest } = object
  return rest
}

/** Both objects in one, those within them as well; what `over` has wins. Arrays are values, and replaced as a whole. */
function merged(under: Json, over: Json): Json {
  const result: Json = {}
  for (const source of [under, over]) {
    for (const [key, value] of Object.entries(source)) {
      const before = Object.hasOwn(result, key) ? result[key] : undefined
      define(result, key, isObject(before) && isObject(value) ? merged(before, value) : value)
    }
  }
  return result
}

/** As `JSON.parse` does it: `__proto__` becomes a field like any other, and not the object's prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}
