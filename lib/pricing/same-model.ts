/**
 * What providers add to the name of a model for one version of it: a date, a number of three digits, `latest`. What follows in
 * `gpt-4o-mini`, `gpt-4.1` and `claude-sonnet-4-5` makes another model.
 */
const VERSION = /^(?:-(?:latest|preview(?:-\d\d){0,2}|v\d{1,2}(?:-\d)?|\d{3,8}(?:-\d\d){0,2}))+$/
/** Gateways name the company that made a model, and Google the kind of thing. */
const PREFIX = /^.*\//
/** Names of whatever version is the newest. */
const NEWEST = /-(?:latest|0)$/

/**
 * Returns whether two names may be of one model: an answer names the version that was asked for by the family's name.
 *
 * @param asked as the provider was asked
 * @param answered as it answered
 */
export function isSameModel(asked: string, answered: string): boolean {
  const one = plain(asked)
  const other = plain(answered)
  return one === other || isVersionOf(one, other) || isVersionOf(other, one)
}

function plain(name: string): string {
  return name.toLowerCase().replace(PREFIX, '').replace(/[@:]/g, '-')
}

function isVersionOf(name: string, family: string): boolean {
  const stem = family.replace(NEWEST, '')
  return name === stem || (name.startsWith(stem) && VERSION.test(name.slice(stem.length)))
}
