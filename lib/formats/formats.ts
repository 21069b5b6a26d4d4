import type { BuiltInFormat } from './built-in.js'
import { builtIns } from './built-ins.js'
import type { CompleteFormat } from './complete.js'
import type { AnyFormatName, CustomFormatName, FormatName } from './format.js'
import { sharedNoRetryHeaders } from './shared-headers.js'

/** Names of the built-in formats. */
export const formatNames = Object.keys(builtIns) as readonly FormatName[]

/** Returns the built-in format with this name. */
export function getFormat(name: FormatName): BuiltInFormat {
  return builtIns[name]
}

/**
 * Formats that the app defined, by name; a later middleware replaces an earlier format of the same name. Code that
 * knows only a format's name (metrics, `textOf`) finds it here.
 */
const customFormats = new Map<string, CompleteFormat>()

/** Registers a format that the app defined under its name. */
export function registerFormat(format: CompleteFormat<CustomFormatName>): void {
  customFormats.set(format.name, format)
}

/** Returns the format with this name, built-in or the app's own; `undefined` if there is none. */
export function findFormat(name: string): CompleteFormat | undefined {
  return Object.hasOwn(builtIns, name) ? builtIns[name as FormatName] : customFormats.get(name)
}

/** Returns the headers by which a format keeps SDKs from another try. */
export function noRetryHeadersOf(name: AnyFormatName): Readonly<Record<string, string>> {
  return findFormat(name)?.noRetryHeaders ?? sharedNoRetryHeaders
}
