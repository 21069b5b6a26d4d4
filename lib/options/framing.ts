import type { Framing } from '../framing/index.js'
import { check, invalidOption, objectOf } from './validate.js'

const FUNCTIONS = ['createFramer', 'read', 'write', 'isAvailable', 'dataStart', 'asContinuation', 'asFirst'] as const
const REQUIRED: readonly (keyof Framing)[] = ['createFramer', 'read', 'write']
const MEMBERS = [...FUNCTIONS, 'name', 'contentType', 'mediaTypes', 'isBinary', 'carriesErrors'] as const

/**
 * Validates a framing and returns it.
 *
 * @throws TypeError that names the missing or invalid member
 */
export function checkedFraming(option: string, framing: Framing): Framing {
  objectOf(option, framing, MEMBERS)
  for (const member of ['name', 'contentType'] as const) {
    if (framing[member] === '') invalidOption(`${option}.${member}`, '', 'a string that is not empty')
    check.string(`${option}.${member}`, framing[member])
  }
  for (const member of FUNCTIONS) {
    const isMissing = framing[member] === undefined && REQUIRED.includes(member)
    if (isMissing) invalidOption(`${option}.${member}`, undefined, 'a function')
    check.optionalFunction(`${option}.${member}`, framing[member])
  }
  for (const member of ['isBinary', 'carriesErrors'] as const) {
    if (framing[member] !== undefined) check.boolean(`${option}.${member}`, framing[member])
  }
  const { mediaTypes } = framing
  const isValid = mediaTypes === undefined || (Array.isArray(mediaTypes) && mediaTypes.every(isMediaType))
  return isValid
    ? framing
    : invalidOption(`${option}.mediaTypes`, mediaTypes, "a list of types like 'application/x-lines'")
}

function isMediaType(type: unknown): boolean {
  return typeof type === 'string' && /^[^\sA-Z;,]+\/[^\sA-Z;,]+$/.test(type)
}
