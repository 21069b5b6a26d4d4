import { ms } from '../shared/format-values.mjs'

/**
 * How an answer came to the page, which a turn keeps and which is saved with it.
 *
 *   { cachedFor, losses, lostMs, reloads, isOpened }
 *
 * `cachedFor` is for how many seconds the cache had had it, `losses` how often the connection was lost, `lostMs` how long the
 * last time; `reloads` counts the reloads in the middle of it; `isOpened` says that the page was opened in the middle of it.
 */

/** The sentences for a passage; none if nothing happened. */
export function passageInWords({ cachedFor, losses = 0, lostMs, reloads = 0, isOpened } = {}) {
  const said = []
  if (cachedFor !== undefined) {
    said.push(`From the cache, kept ${ageInWords(cachedFor)} ago: the provider was not asked.`)
  }
  if (losses === 1) said.push(`Connection lost: the answer continued after ${ms(lostMs)}.`)
  if (losses > 1) {
    said.push(`Connection lost ${losses} times: the answer continued each time, the last time after ${ms(lostMs)}.`)
  }
  if (reloads > 0) said.push(`Continued after ${reloads === 1 ? 'a reload' : `${reloads} reloads`}.`)
  if (isOpened) said.push('Continued where it was when this page was opened.')
  return said
}

/** Notes that the page, which has just been loaded, continues an answer. */
export function continued(passage = {}) {
  const [{ type } = {}] = performance.getEntriesByType('navigation')
  return type === 'reload' ? { ...passage, reloads: (passage.reloads ?? 0) + 1 } : { ...passage, isOpened: true }
}

function ageInWords(seconds) {
  if (seconds < 1) return 'less than a second'
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`
}
