import { type CompleteFormat, isClaimed, modelPerhapsInPath, takesJsonAlone, takesUploads } from '../formats/index.js'
import { memoize } from '../util/memoize.js'

/**
 * Whether the provider takes what is sent to a path for JSON, and some do so whatever its `content-type` says: where a
 * format claims the path, or the path names a model. What else an app has opened may take uploads.
 *
 * @param format what the app says that all paths speak, uploads aside
 * @param path percent-decoded, prefix of the target and all
 */
export function takesJson(format: CompleteFormat | undefined, path: string): boolean {
  return format !== undefined ? !takesUploads(path) : takesJsonAt(path)
}

const takesJsonAt = memoize((path) => {
  if (takesUploads(path)) return false
  // Servers that take a path in another case, or with a slash at its end, are rare; but then they read JSON there, too.
  const plain = path.replace(/\/$/, '')
  return modelPerhapsInPath(path) !== undefined || [plain, plain.toLowerCase()].some(isKnown)
})

function isKnown(path: string): boolean {
  return isClaimed(path) || takesJsonAlone(path)
}
