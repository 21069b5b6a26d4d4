import { type Framer, type Framing, PassThroughFramer } from '../framing/index.js'
import { HookFault } from './hook-errors.js'
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
  for (const member of ['name', 'contentType'] as const) check.string(`${option}.${member}`, framing[member])
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

/** Receives what a function has thrown. */
interface Reporter {
  report(error: unknown): void
}

/**
 * Wraps a framing so that its failures are reported. A frame that it cannot read counts as empty, and a body for which
 * it cannot create a framer passes unchanged. A framer that throws ends its stream: what it still held is lost.
 */
export function guardedFraming(framing: Framing, reporter: Reporter): Framing {
  return {
    ...framing,
    createFramer(maxEventBytes) {
      try {
        return guardedFramer(framing.createFramer(maxEventBytes), reporter)
      } catch (error) {
        reporter.report(error)
        return new PassThroughFramer()
      }
    },
    read(frame) {
      try {
        const message: unknown = framing.read(frame)
        if (message === undefined || typeof (message as { data?: unknown } | null)?.data === 'string') {
          return message as ReturnType<Framing['read']>
        }
        throw new HookFault(`read of the framing ${framing.name} must return a message with a string as its data`)
      } catch (error) {
        reporter.report(error)
        return undefined
      }
    },
    write: (message, replacedFrame) => framing.write(message, replacedFrame),
  }
}

function guardedFramer(framer: Framer, reporter: Reporter): Framer {
  const push = framer.push.bind(framer)
  const end = framer.end.bind(framer)
  const reported = <T>(call: () => T): T => {
    try {
      return call()
    } catch (error) {
      reporter.report(error)
      throw error
    }
  }
  return Object.defineProperties(framer, {
    push: { value: (chunks: readonly Buffer[]) => reported(() => push(chunks)) },
    end: { value: () => reported(end) },
  })
}
