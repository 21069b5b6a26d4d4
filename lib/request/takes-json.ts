import {
  type CompleteFormat,
  isClaimed,
  possibleModelInPath,
  spellingsOf,
  takesJsonAlone,
  takesUploads,
} from '../formats/index.js'
import { memoize } from '../util/memoize.js'

/**
 * Returns whether the provider reads what is sent to a path as JSON (some do whatever the `content-type` is): if a
 * format claims the path, or the path names a model. Other paths that an app allows may take uploads.
 *
 * @param format the format that the app configured for all paths except uploads
 * @param path percent-decoded, including the target's prefix
 */
export function takesJson(format: CompleteFormat | undefined, path: string): boolean {
  return format !== undefined ? !takesUploads(path) : takesJsonAt(path)
}

const takesJsonAt = memoize((path) => {
  if (takesUploads(path)) return false
  return possibleModelInPath(path) !== undefined || isClaimed(path) || spellingsOf(path).some(takesJsonAlone)
})
