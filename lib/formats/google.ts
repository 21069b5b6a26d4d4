/** Restrictions on what a client may ask an API for: some answers could not be metered. */
export interface AnswerRules {
  /**
   * Returns whether the rules apply to a request.
   *
   * @param origin of the target
   * @param path percent-decoded, including the target's prefix
   */
  apply(origin: string, path: string): boolean
  /** Returns whether a query parameter of the client is forwarded. */
  takesParameter(name: string, value: string): boolean
  /** Returns whether the client's `accept` is forwarded. */
  takesAccept(types: string): boolean
}

// Google's methods follow a colon, and its versions contain words: `/v1beta/models/x:generateContent`.
const GOOGLE_PATH = /\/v\d+(?:alpha|beta)\d*(?:\/|$)|\/projects\/[^/]+\/|:[a-z]+(?:[A-Z]\w*)?\/?$/

/** All of Google's APIs accept the same system parameters: https://cloud.google.com/apis/docs/system-parameters */
export const googleRules: AnswerRules = {
  apply: (origin, path) => /\.googleapis\.com(?::\d+)?$/.test(origin) || GOOGLE_PATH.test(path),

  /** Rejects a partial answer (`fields`), another encoding (`alt=proto`) and a script (`callback`). */
  takesParameter(name, value) {
    const known = name.replace(/[^a-z]/gi, '').toLowerCase()
    if (known === 'alt') return /^(?:json|sse)$/i.test(value)
    return known !== 'fields' && known !== 'callback'
  },

  /** Usage cannot be read from protocol buffers. */
  takesAccept: (types) => !/proto/i.test(types),
}
