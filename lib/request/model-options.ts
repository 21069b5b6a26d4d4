import { isDeepStrictEqual } from 'node:util'
import type { ModelOptions } from '../api/options.js'
import { valueAt } from '../formats/fields.js'
import { type CompleteFormat, extraBody } from '../formats/index.js'
import { type FieldPath, outputLimitPaths } from '../formats/output-limits.js'
import type { Edit, ObjectEdit } from '../json/apply-edit.js'
import { isObject } from '../json/json.js'

type Json = Record<string, unknown>

/** In `modelOptions`, this stands for the field of the request's own format. */
const MAX_OUTPUT_TOKENS = 'maxOutputTokens'

/** The request that `modelOptions` are applied to. */
export interface Target {
  readonly format: CompleteFormat
  /** Whether it can generate text; otherwise `maxOutputTokens` does not apply. */
  readonly generates: boolean
  /** The provider's URL, without the query. */
  readonly url?: string
}

/**
 * Applies `modelOptions` to a request: defaults where the request has no value, overrides always. Objects are merged at
 * any depth, lists are replaced. However large the request is, only the fields that the options name are read.
 *
 * @param body changed in place
 * @returns the edit that makes the same changes to its text; `undefined` if there are none
 */
export function applyModelOptions(body: Json, options: ModelOptions, target: Target): ObjectEdit | undefined {
  const { defaults, overrides, forbidden } = resolveFields(options, body, target)
  return applyTo(body, defaults, overrides, forbidden)
}

/** Returns the paths of the fields that these options affect in a request of this format. */
export function pathsOf({ defaults = {}, overrides = {} }: ModelOptions, body: Json, target: Target): FieldPath[] {
  const named = [defaults, overrides].flatMap((options) => pathsIn(without(options, MAX_OUTPUT_TOKENS)))
  named.push(...pathsInExtraBody(overrides, pathsIn))
  const limitsOutput = target.generates && [defaults, overrides].some((options) => MAX_OUTPUT_TOKENS in options)
  return limitsOutput ? [...named, ...limitPaths(body, target)] : named
}

function pathsIn(object: Json): FieldPath[] {
  return Object.entries(object).flatMap(([key, value]) => [
    [key],
    ...(isObject(value) ? pathsIn(value).map((path) => [key, ...path]) : []),
  ])
}

/** Returns the paths of all fields that are not objects. */
function leavesIn(object: Json): FieldPath[] {
  return Object.entries(object).flatMap(([key, value]) =>
    isObject(value) ? leavesIn(value).map((path) => [key, ...path]) : [[key]],
  )
}

/** Returns the paths by which a client could bypass overrides. */
function pathsInExtraBody(overrides: Json, pathsOf: (object: Json) => FieldPath[]): FieldPath[] {
  const ruled = without(without(overrides, MAX_OUTPUT_TOKENS), extraBody)
  return pathsOf(ruled).map((path) => [extraBody, ...path])
}

function limitPaths(body: Json, { format, url }: Target): FieldPath[] {
  const path = format.maxOutputTokensPath(body, url)
  return path.length === 0 ? [] : [path, ...(format.otherLimitPaths ?? []), ...outputLimitPaths]
}

/** Fields that must not be in a request: a tree of their names. */
type Forbidden = Map<string, Forbidden | true>

/** The options, with `maxOutputTokens` moved to the field that the provider takes. */
interface OwnFields {
  readonly defaults: Json
  readonly overrides: Json
  readonly forbidden: Forbidden
}

function resolveFields({ defaults = {}, overrides = {} }: ModelOptions, body: Json, target: Target): OwnFields {
  const bypasses = pathsInExtraBody(overrides, leavesIn)
  const own = {
    defaults: without(defaults, MAX_OUTPUT_TOKENS),
    overrides: without(overrides, MAX_OUTPUT_TOKENS),
    forbidden: treeOf(bypasses, []),
  }
  const isOverride = MAX_OUTPUT_TOKENS in overrides
  if (!target.generates || !(isOverride || MAX_OUTPUT_TOKENS in defaults)) return own
  // The field depends on the model that is finally requested.
  const model = overrides.model ?? body.model ?? defaults.model
  const [path, ...others] = limitPaths(model === body.model ? body : { ...body, model }, target)
  if (!path) return own
  if (isOverride) {
    const limit = nested(path, overrides[MAX_OUTPUT_TOKENS])
    return { ...own, overrides: merge(own.overrides, limit), forbidden: treeOf([...bypasses, ...others], path) }
  }
  const isSaid = [path, ...others].some((each) => (valueAt(body, ...each) ?? undefined) !== undefined)
  if (isSaid) return own
  return { ...own, defaults: merge(own.defaults, nested(path, defaults[MAX_OUTPUT_TOKENS])) }
}

function applyTo(body: Json, defaults: Json, overrides: Json, forbidden: Forbidden): ObjectEdit | undefined {
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
      const edit = applyTo(value, objectOr(filling), objectOr(ruling), banned ?? new Map())
      if (edit) fields.set(name, edit)
      continue
    }
    if (isThere && !isRuled && banned !== true) continue
    const filled = isThere ? undefined : removeForbidden(filling, banned)
    const wanted = isRuled && isObject(filled) && isObject(ruling) ? merge(filled, ruling) : isRuled ? ruling : filled
    // Serialized, to keep the app's own objects out of a request that a hook may change, and to drop what JSON cannot
    // represent.
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

/** Removes what is forbidden from a default. */
function removeForbidden(value: unknown, forbidden: Forbidden | true | undefined): unknown {
  if (forbidden === true) return undefined
  if (!forbidden || !isObject(value)) return value
  const rest: Json = {}
  for (const [name, inner] of Object.entries(value)) {
    const kept = removeForbidden(inner, forbidden.get(name))
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

/** Merges two objects at any depth; `over` wins. Arrays are replaced as a whole. */
function merge(under: Json, over: Json): Json {
  const result: Json = {}
  for (const source of [under, over]) {
    for (const [key, value] of Object.entries(source)) {
      const before = Object.hasOwn(result, key) ? result[key] : undefined
      define(result, key, isObject(before) && isObject(value) ? merge(before, value) : value)
    }
  }
  return result
}

/** Sets a field as `JSON.parse` does: `__proto__` becomes a field like any other, not the object's prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}
