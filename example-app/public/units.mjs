/** Numbers for people. */
export const bytes = (n) => {
  if (n < 10_000) return `${n} B`
  return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`
}

export const ms = (n) => {
  if (n < 1000) return `${n < 10 ? +n.toFixed(2) : Math.round(n)} ms`
  return `${(n / 1000).toFixed(2)} s`
}

const words = (value) => value.replaceAll('_', ' ')

export const usage = ({ inputTokens, outputTokens, estimated }) => {
  const parts = []
  if (inputTokens !== undefined) parts.push(`${inputTokens} in`)
  if (outputTokens !== undefined) parts.push(`${estimated ? '≈ ' : ''}${outputTokens} out`)
  return parts.join(' · ')
}

/** The colour of an outcome. */
export function toneOf({ outcome }) {
  if (outcome === 'client_disconnect') return 'warn'
  return outcome === 'completed' ? 'good' : 'bad'
}

/** The outcome of an exchange in words; of the provider's error, its status as well. */
export function outcome({ outcome, providerStatus }) {
  return outcome === 'provider_error' && providerStatus ? `${words(outcome)} ${providerStatus}` : words(outcome)
}

/** What became of an exchange, in few words: the code says more than the outcome, but for the provider's error. */
export function fate(record) {
  return record.code && record.outcome !== 'provider_error' ? words(record.code) : outcome(record)
}
