import {
  type AnyFormatName,
  type CompleteFormat,
  type CustomFormatName,
  complete,
  type Format,
  type ParsedMessage,
  type Progress,
  type Usage,
} from '../formats/index.js'
import { isObject } from '../json/json.js'
import { ignoreRejection } from '../util/promises.js'
import { HookFault } from './hook-errors.js'

/** Names of a format's functions. */
type Member = {
  [K in keyof CompleteFormat]: CompleteFormat[K] extends (...args: never[]) => unknown ? K : never
}[keyof CompleteFormat]

/** Checks the result of a function: returns the part to use, or `undefined` if it is invalid. */
type Check = (result: unknown, report: (what: string) => void) => { readonly use: unknown } | undefined

const isOf =
  (test: (result: unknown) => boolean): Check =>
  (result) =>
    test(result) ? { use: result } : undefined

const isBoolean = isOf((result) => typeof result === 'boolean')

/** The check for each function's result. */
const CHECKS: Readonly<Record<Member, Check>> = {
  readMessage: checkMessage,
  readAnswer: checkMessage,
  readHeaders: checkMessage,
  textsIn: isOf((result) => Array.isArray(result) && result.every(isPlace)),
  progressIn: isOf((result) => result === undefined || isObject(result)),
  isTerminator: isBoolean,
  streamsSse: isBoolean,
  errorBody: isOf((result) => isObject(result) && isJson(result)),
  isErrorBody: isBoolean,
  errorEvent: isOf((result) => typeof result === 'string' && result.endsWith('\n\n')),
  maxOutputTokensPath: isOf((result) => Array.isArray(result) && result.every((key) => typeof key === 'string')),
  takesUsageRequest: isBoolean,
  operation: isOf((result) => result === undefined || typeof result === 'string'),
}

/** A message that could not be read may be content, and the end. */
const MAY_BE_END: Progress = { isContent: true, isEnd: true }

/** Calls the functions of the app's own format, and reports exceptions and invalid results. */
export class FormatGuard {
  readonly report: (error: unknown) => void
  readonly #name: AnyFormatName
  /** Called in place of a function that failed. */
  readonly #defaults: CompleteFormat
  /** The last message that could not be read. */
  #unreadable: unknown

  constructor(name: CustomFormatName, report: (error: unknown) => void) {
    this.#name = name
    this.report = report
    this.#defaults = complete({ name, readMessage: () => ({}), progressIn: () => MAY_BE_END })
  }

  /** Returns the functions that a format has, guarded. */
  functionsOf(format: Format): Pick<Format, Member> {
    const members = Object.keys(CHECKS).filter((member) => format[member as Member] !== undefined) as Member[]
    const guarded = Object.fromEntries(members.map((member) => [member, this.#guarded(format, member)])) as Pick<
      CompleteFormat,
      Member
    >
    const { progressIn = () => ({}) } = guarded
    const readMessage: Format['readMessage'] = (data, event) => {
      this.#unreadable = undefined
      return guarded.readMessage(data, event)
    }
    return {
      ...guarded,
      readMessage,
      progressIn: (data, event) => (data === this.#unreadable ? MAY_BE_END : progressIn(data, event)),
    }
  }

  #guarded(format: Format, member: Member) {
    const call = format[member] as (...args: unknown[]) => unknown
    const fallback = this.#defaults[member] as (...args: unknown[]) => unknown
    const check = CHECKS[member]
    const reportResult = (what: string) =>
      this.report(new HookFault(`${member} of the format ${this.#name} returned ${what}`))
    return (...args: unknown[]): unknown => {
      try {
        const result = call.apply(format, args)
        const isPromise = ignoreRejection(result)
        const seen = isPromise ? undefined : check(result, reportResult)
        if (seen) return seen.use
        reportResult(isPromise ? 'a promise, but streams cannot wait for one' : 'an invalid value')
      } catch (error) {
        this.report(error)
      }
      if (member === 'readMessage') this.#unreadable = args[0]
      return fallback(...args)
    }
  }
}

const STRINGS = ['model', 'responseId', 'finishReason', 'text', 'error']
const FLAGS = ['replacesUsage', 'callsTool', 'isPending', 'isLast', 'isUsageOnly']

/** Returns the valid fields of a message: one wrong field must not spoil the others. */
function checkMessage(result: unknown, report: (what: string) => void): { readonly use: ParsedMessage } | undefined {
  if (!isObject(result)) return undefined
  const use: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(result)) {
    if (value === undefined || value === '' || value === false) continue
    if (isValidField(field, value)) use[field] = value
    else report(`an invalid ${field} (${typeof value})`)
  }
  return { use }
}

function isValidField(field: string, value: unknown): boolean {
  if (STRINGS.includes(field)) return typeof value === 'string'
  if (FLAGS.includes(field)) return value === true
  if (field === 'usage' || field === 'billed') return isUsage(value)
  return field === 'whole' && isObject(value) && typeof value.id === 'string' && typeof value.text === 'string'
}

const FIGURES: Readonly<Record<keyof Usage, true>> = {
  inputTokens: true,
  outputTokens: true,
  totalTokens: true,
  cachedInputTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
  toolInputTokens: true,
  toolOutputTokens: true,
}

function isUsage(value: unknown): boolean {
  if (!isObject(value)) return false
  return Object.entries(value).every(
    ([name, count]) =>
      count === undefined ||
      (Object.hasOwn(FIGURES, name) && typeof count === 'number' && Number.isFinite(count) && count >= 0),
  )
}

function isPlace(place: unknown): boolean {
  return (
    isObject(place) &&
    Array.isArray(place.path) &&
    place.path.every((key) => typeof key === 'string' || typeof key === 'number') &&
    ['text', 'reasoning', 'repeated'].includes(String(place.kind))
  )
}

function isJson(value: unknown): boolean {
  try {
    return typeof JSON.stringify(value) === 'string'
  } catch {
    return false
  }
}
