/** Headers that many providers, their SDKs and the gateways in front of them share by custom, whatever their protocol. */

/** Request headers that SDKs add about themselves; `*` matches any rest. Stainless generates most SDKs. */
export const sdkHeaders: readonly string[] = ['x-stainless-*']

/** Request headers of any format that say who asks, or by which SDK, and do not change what the model writes. */
export const sharedHeadersWithoutEffect: readonly string[] = [...sdkHeaders, 'x-title', 'http-referer']

/** Response header that says how long to wait before another try, in milliseconds. */
export const RETRY_AFTER_MS = 'retry-after-ms'

/** Response header that says `true` or `false`: whether another try may succeed. The SDKs that Stainless generates obey it. */
export const SHOULD_RETRY = 'x-should-retry'

/** Response headers that keep an SDK from another try. */
export const sharedNoRetryHeaders: Readonly<Record<string, string>> = Object.freeze({ [SHOULD_RETRY]: 'false' })

/** Patterns for response headers that describe a request, or say what to do next. */
export const sharedResponseHeaders: readonly RegExp[] = [
  // What to do next.
  new RegExp(`^(?:${[RETRY_AFTER_MS, ...Object.keys(sharedNoRetryHeaders)].join('|')})$`),
  // Where and how long the request was processed.
  /^(?:cf-ray|x-envoy-upstream-service-time)$/,
  // Rate limits and quotas, however spelled; not `x-envoy-ratelimited`, by which Envoy's own clients behave.
  /^(?!x-envoy-).*rate-?limit/,
  /-(?:limit|remaining|quota|quota-reset)$/,
  // Ids of requests and traces.
  /(?:^|[-_])(?:request|req|trace|correlation|log|call|response|generation|inference)[-_]?id$/,
  // Times, tokens, costs.
  /^(?!x-(?:accel|lighttpd|litespeed|cache|middleware|envoy)-).*[-_](?:ms|time|latency|duration|tokens|cost|usage)$/,
]

/** Those of them that report how an answer was made: by which model, in how many milliseconds. */
export const answerReportHeaders = /-(?:model|version|processing-ms)$/
