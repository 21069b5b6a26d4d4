import type { BuiltInFormat } from './built-in.js'
import { builtIns } from './built-ins.js'
import type { CompleteFormat } from './complete.js'
import type { CustomFormatName, FormatName } from './format.js'

/** The names of the built-in formats. */
export const formatNames = Object.keys(builtIns) as readonly FormatName[]

/** The built-in format of a name. */
export function getFormat(name: FormatName): BuiltInFormat {
  return builtIns[name]
}

/**
 * The formats of the app's own, by name: the last middleware that was made with a name. What knows a format by its name
 * alone (metrics, `textOf`) finds it here.
 */
const customFormats = new Map<string, CompleteFormat>()

/** Has a format of the app's own found by its name. */
export function registerFormat(format: CompleteFormat<CustomFormatName>): void {
  customFormats.set(format.name, format)
}

/** The format of a name, built-in or the app's own; `undefined` if there is none. */
export function findFormat(name: string): CompleteFormat | undefined {
  return Object.hasOwn(builtIns, name) ? builtIns[name as FormatName] : customFormats.get(name)
}
