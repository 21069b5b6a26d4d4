import { AiProxyError } from '../api/errors.js'
import { StringReplacer, type WantedStrings } from '../json/replace-strings.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'
import type { RequestBody } from './body.js'
import { type BodyBytes, byteLength, isInMemory } from './body-bytes.js'
import { jsonText } from './json-text.js'

/** This much is scanned in one turn. */
const STEP_BYTES = 64 * 1024
/** A shorter body is scanned at once. */
const SHORT_BYTES = 256 * 1024

/**
 * Replaces strings in the text of a JSON body. A long one is scanned in turns.
 *
 * @param replace returns what takes a string's place; `undefined` if it stays
 * @param isCancelled returns whether the request is over, so that a long body need not be read to its end
 * @returns the new text in pieces; `undefined` if nothing changes
 * @throws AiProxyError `unsupported_media_type` if the body is compressed and was not decompressed
 */
export async function replaceInBody(
  body: RequestBody,
  wanted: WantedStrings,
  replace: (value: string) => string | undefined,
  isCancelled?: () => boolean,
): Promise<Buffer[] | undefined> {
  const text = textOf(body)
  if (text === undefined) return undefined
  let isChanged = false
  const replacer = new StringReplacer(wanted, (value) => {
    const replacement = replace(value)
    if (replacement === undefined || replacement === value) return undefined
    isChanged = true
    return replacement
  })
  const work = scan(text, replacer)
  const isLong = byteLength(text) > SHORT_BYTES
  const pieces = isLong ? await runInTurns(work, sharedTurns(), isCancelled) : runAtOnce(work)
  return isChanged ? pieces : undefined
}

function* scan(text: BodyBytes, replacer: StringReplacer): IncrementalTask<Buffer[]> {
  const pieces: Buffer[] = []
  for (const piece of [text].flat() as Buffer[]) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      pieces.push(...replacer.push(piece.subarray(at, at + STEP_BYTES)))
      yield
    }
  }
  pieces.push(...replacer.end())
  return pieces
}

function runAtOnce<T>(work: IncrementalTask<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Returns the text of a JSON body, as it is or in pieces; `undefined` if it is not JSON. */
function textOf(body: RequestBody): BodyBytes | undefined {
  const { json, content, headers } = body
  if (json === undefined || content === undefined) return undefined
  const text = jsonText(body)
  if (text) return text
  if (isInMemory(content) && headers['content-encoding'] === undefined) return content
  throw new AiProxyError('unsupported_media_type', 'The request body cannot be decoded here')
}
