import { type Framer, type Framing, framings, type Message, PassThroughFramer } from '../framing/index.js'
import { isObject } from '../json/json.js'
import { ignoreRejection } from '../util/promises.js'
import { HookFault } from './hook-errors.js'

/** Receives what a function has thrown. */
interface Reporter {
  report(error: unknown): void
}

/** What a function may return: a test, and how a fault's message puts it. */
type Expected = readonly [test: (result: unknown) => boolean, text: string]

const BYTES: Expected = [(result) => Buffer.isBuffer(result), 'a Buffer']
const FRAMES: Expected = [(result) => result === undefined || Buffer.isBuffer(result), 'a Buffer or undefined']
const MESSAGE: Expected = [
  (result) => result === undefined || isMessage(result),
  'a message: { data, event, id, isError }',
]
const BOOLEAN: Expected = [(result) => typeof result === 'boolean', 'true or false']
const INDEX: Expected = [(result) => Number.isInteger(result) && (result as number) >= 0, 'an index']
const FRAMER: Expected = [isFramer, 'a framer: an object with push and end that is not frozen']
const ANYTHING: Expected = [() => true, 'nothing']

/**
 * Wraps a framing so that what its functions throw, and invalid results, are reported. If it fails:
 *
 * - `read`: the frame counts as empty.
 * - `createFramer`, `isAvailable`: the body passes unchanged.
 * - `dataStart`, `asContinuation`, `asFirst`: their defaults apply.
 * - `write`, or a function of the framer: the stream ends with an error, and what the framer still held is lost.
 */
export function guardedFraming(framing: Framing, reporter: Reporter): Framing {
  const guard = new FramingGuard(framing.name, reporter)
  const { name, contentType, mediaTypes, isBinary, carriesErrors } = framing
  return {
    ...{ name, contentType },
    ...(mediaTypes && { mediaTypes }),
    ...(isBinary !== undefined && { isBinary }),
    ...(carriesErrors !== undefined && { carriesErrors }),
    createFramer(maxEventBytes) {
      const framer = guard.callOr(undefined, 'createFramer', FRAMER, () => framing.createFramer(maxEventBytes))
      return framer ? guardedFramer(framer, guard) : new PassThroughFramer()
    },
    read: (frame) => guard.callOr(undefined, 'read', MESSAGE, () => framing.read(frame)),
    write: (message, replaced) => guard.call('write', BYTES, () => framing.write(message, replaced)),
    ...(framing.isAvailable && {
      // A built-in function stays the same one, by which it is known.
      isAvailable: isBuiltIn(framing.isAvailable)
        ? framing.isAvailable
        : () => guard.callOr(false, 'isAvailable', BOOLEAN, () => framing.isAvailable!()),
    }),
    ...(framing.dataStart && {
      dataStart: (beginning) => guard.callOr(0, 'dataStart', INDEX, () => framing.dataStart!(beginning)),
    }),
    ...(framing.asContinuation && {
      asContinuation: (frames) => guard.callOr(frames, 'asContinuation', BYTES, () => framing.asContinuation!(frames)),
    }),
    ...(framing.asFirst && {
      asFirst: (frame) => guard.callOr(frame, 'asFirst', BYTES, () => framing.asFirst!(frame)),
    }),
  }
}

class FramingGuard {
  readonly #name: string
  readonly #reporter: Reporter

  constructor(name: string, reporter: Reporter) {
    this.#name = name
    this.#reporter = reporter
  }

  /** Returns what a function returns. @throws what it throws, or HookFault if the result is invalid: both are reported */
  call<T>(member: string, [isValid, text]: Expected, call: () => T): T {
    try {
      const result = call()
      if (ignoreRejection(result)) {
        throw new HookFault(
          `${member} of the framing ${this.#name} returned a promise, but streams cannot wait for one`,
        )
      }
      if (!isValid(result)) throw new HookFault(`${member} of the framing ${this.#name} must return ${text}`)
      return result
    } catch (error) {
      this.#reporter.report(error)
      throw error
    }
  }

  /** Returns what a function returns; `otherwise` if it throws or the result is invalid, which is reported. */
  callOr<T>(otherwise: T, member: string, expected: Expected, call: () => T): T {
    try {
      return this.call(member, expected, call)
    } catch {
      return otherwise
    }
  }
}

function guardedFramer(framer: Framer, guard: FramingGuard): Framer {
  const push = framer.push.bind(framer)
  const end = framer.end.bind(framer)
  const last = framer.last?.bind(framer)
  const discardLast = framer.discardLast?.bind(framer)
  const endsWithin: Expected = [
    (frames) => FRAMES[0](frames) && (frames === undefined || areEnds(framer.ends, frames as Buffer)),
    `${FRAMES[1]}, with the ends of the frames in \`ends\``,
  ]
  return Object.defineProperties(framer, {
    // A `push` of the app's around that of a built-in framer may keep a part of what that one has returned.
    ...(Object.hasOwn(framer, 'push') &&
      !Object.hasOwn(framer, 'copiedBytes') && { copiedBytes: { value: undefined } }),
    push: { value: (chunks: readonly Buffer[]) => guard.call('push', endsWithin, () => push(chunks)) },
    end: { value: () => guard.call('end', endsWithin, end) },
    last: { value: () => last && guard.callOr(undefined, 'last', FRAMES, last) },
    discardLast: { value: () => discardLast && guard.callOr(undefined, 'discardLast', ANYTHING, discardLast) },
  })
}

function isFramer(framer: unknown): boolean {
  return (
    isObject(framer) &&
    typeof framer.push === 'function' &&
    typeof framer.end === 'function' &&
    (framer.heartbeat === undefined || Buffer.isBuffer(framer.heartbeat)) &&
    Object.isExtensible(framer)
  )
}

function areEnds(ends: unknown, frames: Buffer): boolean {
  return Array.isArray(ends) && ends.every((end) => Number.isInteger(end) && end >= 0 && end <= frames.length)
}

function isMessage(message: unknown): message is Message {
  return (
    isObject(message) &&
    typeof message.data === 'string' &&
    (message.event === undefined || typeof message.event === 'string') &&
    (message.id === undefined || typeof message.id === 'string') &&
    (message.isError === undefined || typeof message.isError === 'boolean')
  )
}

function isBuiltIn(isAvailable: Framing['isAvailable']): boolean {
  return Object.values<Framing>(framings).some((framing) => framing.isAvailable === isAvailable)
}
