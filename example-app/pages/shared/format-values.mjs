/** Values as people read them. */

export function bytes(count) {
  if (count < 10_000) return `${count} B`
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(1)} MiB`
}

export function ms(count) {
  if (count < 1000) return `${count < 10 ? +count.toFixed(2) : Math.round(count)} ms`
  if (count < 100_000) return `${(count / 1000).toFixed(2)} s`
  return `${Math.floor(count / 60_000)} min ${Math.round((count % 60_000) / 1000)} s`
}

/** A number of tokens or the like. */
export function count(amount) {
  return Math.floor(amount).toLocaleString('en-US')
}

/** Hours and minutes. */
export function clock(at) {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
}

/** How long something lasts, roughly. */
export function span(milliseconds) {
  const minutes = Math.max(1, Math.ceil(milliseconds / 60_000))
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export function time(at) {
  return new Date(at).toLocaleTimeString('en-GB')
}

export function dollars(amount) {
  if (amount === 0) return '$0'
  if (amount < 0.01) return `$${amount.toPrecision(2)}`
  return `$${amount < 1 ? amount.toFixed(3).replace(/0$/, '') : amount.toFixed(2)}`
}

/** An identifier such as `upstream_unreachable` in words. */
export function words(name) {
  return name.replaceAll('_', ' ')
}

export function usage({ inputTokens, outputTokens, estimated }) {
  const parts = []
  if (inputTokens !== undefined) parts.push(`${count(inputTokens)} in`)
  if (outputTokens !== undefined) parts.push(`${estimated ? '≈ ' : ''}${count(outputTokens)} out`)
  return parts.join(' · ')
}

/** The colour of an exchange: of its outcome, or of what it does if it is under way. */
export function toneOf({ outcome, phase }) {
  if (outcome === undefined) return phase === 'stalled' || phase === 'draining' ? 'warn' : 'busy'
  if (outcome === 'client_disconnect') return 'warn'
  return outcome === 'completed' ? 'good' : 'bad'
}

/** How an exchange ended, in few words. The code says more than the outcome, except for an error of the provider. */
export function fate({ outcome, code, providerStatus }) {
  if (outcome === 'provider_error') return providerStatus ? `provider error ${providerStatus}` : 'provider error'
  return words(code ?? outcome)
}
