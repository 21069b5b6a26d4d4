import type { AiProxyOptions } from '../api/options.js'
import { type CompleteFormat, complete, type Format, formatNames, getFormat, registerFormat } from '../formats/index.js'
import { isBuiltInFraming } from '../framing/index.js'
import { checkedFraming } from './framing.js'
import { FormatGuard } from './guarded-format.js'
import { guardedFraming } from './guarded-framing.js'
import type { HookErrors } from './hook-errors.js'
import { compilePathRule } from './path-rule.js'
import { resolveHeaders } from './provider.js'
import { check, invalidOption, objectOf } from './validate.js'

const FUNCTIONS = [
  ...(['readMessage', 'readAnswer', 'readHeaders', 'textsIn', 'progressIn', 'isTerminator', 'streamsSse'] as const),
  ...(['errorBody', 'isErrorBody', 'errorEvent', 'maxOutputTokensPath', 'takesUsageRequest', 'operation'] as const),
]
const STRINGS = ['usageMarker', 'provider', 'continuationField'] as const
const HEADER_LISTS = ['requestHeaders', 'requestIdHeaders', 'headersWithoutEffect'] as const
const STRING_LISTS = ['answerFields', 'fieldsWithoutEffect', 'endpoints', ...HEADER_LISTS] as const
const PATTERNS = [
  ...(['streamPaths', 'streamsByDefault', 'modelPaths', 'silentPaths', 'answerPaths', 'responseHeaders'] as const),
]
/** Patterns whose first group is read: one without any would find nothing, and say nothing. */
const WITH_GROUP: readonly string[] = ['modelPaths', 'answerPaths'] satisfies (typeof PATTERNS)[number][]
/** Patterns that match in any case. */
const IN_ANY_CASE: readonly string[] = ['responseHeaders'] satisfies (typeof PATTERNS)[number][]
const PATH_LISTS = ['modelFields', 'otherLimitPaths'] as const
const MEMBERS = [
  ...(['name', ...FUNCTIONS, ...STRINGS, ...STRING_LISTS, ...PATTERNS] as const),
  ...(['counting', 'framings', ...PATH_LISTS, 'readsBothCases', 'usageRequest', 'noRetryHeaders'] as const),
]

/**
 * Resolves the option `format`: a built-in name, or the app's own format. The functions of the latter are guarded: an
 * exception or invalid result is reported, and replaced by a default.
 *
 * @throws TypeError that names the missing or invalid member
 */
export function resolveFormat(option: AiProxyOptions['format'], hookErrors: HookErrors): CompleteFormat | undefined {
  if (option === undefined) return undefined
  if (typeof option !== 'object' || option === null) {
    return getFormat(check.oneOf('format', option, formatNames, 'an object that describes a format'))
  }
  const takes = "a built-in format's name, or an object that describes a format"
  const { framings, ...members } = checkMembers(objectOf('format', option, MEMBERS, [], takes))
  const guard = new FormatGuard(option.name, (error) => hookErrors.report('format', error))
  const usedFramings = framings?.map((framing) =>
    isBuiltInFraming(framing) ? framing : guardedFraming(framing, guard),
  )
  const format = complete({
    ...members,
    ...guard.functionsOf(option),
    ...(usedFramings && {
      framings: usedFramings,
      ownFramings: usedFramings.filter((framing) => !isBuiltInFraming(framing)),
    }),
    isCustom: true,
  })
  registerFormat(format)
  return format
}

/** Validates the format and returns its members other than functions, and `framings`, normalised. */
function checkMembers(format: Format): Format {
  const { name, counting, framings, modelFields, otherLimitPaths, usageRequest } = format
  if (typeof name !== 'string' || !/^x-./.test(name)) invalidOption('format.name', name, "a name that begins with 'x-'")
  if (typeof format.readMessage !== 'function') invalidOption('format.readMessage', format.readMessage, 'a function')
  for (const member of FUNCTIONS) check.optionalFunction(`format.${member}`, format[member])
  for (const member of STRINGS) if (format[member] !== undefined) check.string(`format.${member}`, format[member])
  for (const member of STRING_LISTS) checkStrings(`format.${member}`, format[member])
  for (const [at, rule] of (format.endpoints ?? []).entries()) {
    if (!compilePathRule(rule)) invalidOption(`format.endpoints[${at}]`, rule, "a path like 'POST **/my/chat'")
  }
  if (counting !== undefined) {
    const { cache, reasoning } = objectOf('format.counting', counting, ['cache', 'reasoning'])
    check.oneOf('format.counting.cache', cache, ['inside', 'outside', 'by total'])
    check.oneOf('format.counting.reasoning', reasoning, ['inside', 'outside', 'by total'])
  }
  if (framings !== undefined && (!Array.isArray(framings) || framings.length === 0)) {
    invalidOption('format.framings', framings, 'a list of framings that is not empty')
  }
  for (const [at, framing] of (framings ?? []).entries()) checkedFraming(`format.framings[${at}]`, framing)
  for (const member of PATH_LISTS) checkPaths(`format.${member}`, format[member])
  if (format.readsBothCases !== undefined) check.boolean('format.readsBothCases', format.readsBothCases)
  checkStrings('format.usageRequest', usageRequest)
  if (usageRequest !== undefined && usageRequest.length !== 2) {
    invalidOption('format.usageRequest', usageRequest, "two names, like ['stream_options', 'include_usage']")
  }
  const patterns = PATTERNS.filter((member) => format[member] !== undefined).map((member) => [
    member,
    patternsOf(`format.${member}`, format[member], member),
  ])
  const { readMessage, usageMarker, provider, answerFields, fieldsWithoutEffect, endpoints, readsBothCases } = format
  const { continuationField } = format
  const rest = {
    usageMarker,
    provider,
    continuationField,
    counting,
    answerFields,
    fieldsWithoutEffect,
    endpoints,
    framings,
    modelFields,
    otherLimitPaths,
    readsBothCases,
    noRetryHeaders:
      format.noRetryHeaders === undefined
        ? undefined
        : Object.fromEntries(resolveHeaders('format.noRetryHeaders', format.noRetryHeaders)),
  }
  return {
    name,
    readMessage,
    ...Object.fromEntries(Object.entries({ ...rest, usageRequest }).filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(
      HEADER_LISTS.flatMap((member) =>
        format[member] === undefined ? [] : [[member, format[member].map((header) => header.toLowerCase())]],
      ),
    ),
    ...Object.fromEntries(patterns),
  }
}

function checkStrings(option: string, value: unknown): void {
  if (value === undefined) return
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string' && each !== '')) {
    invalidOption(option, value, 'a list of strings that are not empty')
  }
}

function checkPaths(option: string, value: unknown): void {
  if (value === undefined) return
  if (!Array.isArray(value)) invalidOption(option, value, 'a list of paths')
  for (const [at, path] of value.entries()) checkStrings(`${option}[${at}]`, path)
}

/** Returns RegExps without the flags `g` and `y`, which make them keep state between calls. */
function patternsOf(option: string, value: unknown, member: (typeof PATTERNS)[number]): RegExp[] {
  if (!Array.isArray(value) || !value.every((each) => each instanceof RegExp))
    invalidOption(option, value, 'a list of RegExps')
  if (WITH_GROUP.includes(member) && !value.every(isGrouping))
    invalidOption(option, value, 'a list of RegExps with a group each')
  const ignoresCase = IN_ANY_CASE.includes(member)
  return value.map(
    ({ source, flags }: RegExp) =>
      new RegExp(source, flags.replace(ignoresCase ? /[gyi]/g : /[gy]/g, '') + (ignoresCase ? 'i' : '')),
  )
}

/** Returns whether a pattern has a group, by matching nothing with it. */
function isGrouping({ source, flags }: RegExp): boolean {
  return new RegExp(`${source}|`, flags).exec('')!.length > 1
}
