/** What a client must not ask an API for, because its answer could then not be metered. */
export interface AnswerRules {
  /**
   * Whether the rules hold for a request.
   *
   * @param origin of the target
   * @param path percent-decoded, prefix of the target and all
   */
  apply(origin: string, path: string): boolean
  /** Whether a query parameter of the client goes on. */
  takesParameter(name: string, value: string): boolean
  /** Whether the client's `accept` goes on. */
  takesAccept(types: string): boolean
}

// Google's methods stand behind a colon, and its versions have words in them: `/v1beta/models/x:generateContent`.
const GOOGLE_PATH = /\/v\d+(?:alpha|beta)\d*(?:\/|$)|\/projects\/[^/]+\/|:[a-z]+(?:[A-Z]\w*)?\/?$/

/** All of Google's APIs take the same system parameters: https://cloud.google.com/apis/docs/system-parameters */
export const googleRules: AnswerRules = {
  apply: (origin, path) => /\.googleapis\.com(?::\d+)?$/.test(origin) || GOOGLE_PATH.test(path),

  /** Parts of an answer (`fields`), another encoding (`alt=proto`), a script (`callback`). */
  takesParameter(name, value) {
    const known = name.replace(/[^a-z]/gi, '').toLowerCase()
    if (known === 'alt') return /^(?:json|sse)$/i.test(value)
    return known !== 'fields' && known !== 'callback'
  },

  /** Protocol buffers tell no usage here. */
  takesAccept: (types) => !/proto/i.test(types),
}
