/** Numbers for people. */
export const bytes = (n) => {
  if (n < 10_000) return `${n} B`
  return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`
}

export const ms = (n) => {
  if (n < 1000) return `${n < 10 ? +n.toFixed(2) : Math.round(n)} ms`
  return `${(n / 1000).toFixed(2)} s`
}

export const outcome = (value) => value.replaceAll('_', ' ')

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

/** What became of an exchange, in few words: of the provider's error, its status as well. */
export function fate({ code, outcome: word, providerStatus }) {
  const status = word === 'provider_error' && providerStatus ? ` ${providerStatus}` : ''
  return outcome(status ? word : (code ?? word)) + status
}
