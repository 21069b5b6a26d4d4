import { AiProxyError } from '../api/errors.js'
import type { CompleteFormat } from '../formats/index.js'
import { isObject } from '../json/json.js'
import { type WantedStrings, wantedStrings } from '../json/replace-strings.js'
import { MAX_MODEL_LENGTH } from '../options/models.js'
import { beginningOf } from '../util/beginning-of.js'
import type { RequestBody } from './body.js'
import { replaceInBody } from './replace-in-body.js'

/** Where a body repeats the model that its path names. */
interface Copies {
  readonly all: WantedStrings
  /** Those within its parts, such as the requests of a batch. */
  readonly inner: WantedStrings
  /** Names of the top-level fields in which these parts are. */
  readonly parts: readonly string[]
}

const known = new WeakMap<CompleteFormat, Copies>()

export function copiesIn(format: CompleteFormat): Copies {
  let copies = known.get(format)
  if (!copies) {
    const inner = format.modelCopyPaths.filter((path) => path.length > 1)
    const parts = inner.flatMap(([first]) => first ?? [])
    copies = { all: wantedStrings(format.modelCopyPaths), inner: wantedStrings(inner), parts }
    known.set(format, copies)
  }
  return copies
}

/** Returns whether it is the model that the path names. Google's names in bodies begin with their collection: `models/NAME`. */
export function isCopy(value: string, named: string): boolean {
  return value === named || value.endsWith(`/${named}`)
}

/**
 * Rejects a body if one of its parts names another model than the path. Google takes only the same one, and what is
 * checked, priced and renamed is that of the path.
 *
 * @param named the model that the path names
 * @param isCancelled returns whether the request is over, so that a long body need not be read to its end
 * @throws AiProxyError `invalid_request`
 */
export async function rejectOtherModels(
  body: RequestBody,
  named: string,
  format: CompleteFormat,
  isCancelled?: () => boolean,
): Promise<void> {
  const { json } = body
  const { inner, parts } = copiesIn(format)
  if (!isObject(json) || !parts.some((part) => part in json)) return
  let other: string | undefined
  await replaceInBody(
    body,
    inner,
    // Each one is seen of a field that is there twice, whichever the provider reads.
    (value) => {
      if (value !== '' && !isCopy(value, named)) other ??= value
      return undefined
    },
    isCancelled,
  )
  if (other === undefined) return
  const shown = JSON.stringify(beginningOf(other, MAX_MODEL_LENGTH))
  throw new AiProxyError('invalid_request', `The request body names the model ${shown}, and its path another one`)
}
