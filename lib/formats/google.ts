// Google's methods stand behind a colon, and its versions have words in them: `/v1beta/models/x:generateContent`.
const GOOGLE_PATH = /\/v\d+(?:alpha|beta)\d*(?:\/|$)|\/projects\/[^/]+\/|:[a-z]+(?:[A-Z]\w*)?\/?$/

/**
 * Whether one of Google's APIs answers, which all take the same system parameters.
 *
 * @param origin of the target
 * @param path percent-decoded, prefix of the target and all
 */
export function isGoogleApi(origin: string, path: string): boolean {
  return /\.googleapis\.com(?::\d+)?$/.test(origin) || GOOGLE_PATH.test(path)
}
