import type { Journal } from '../api/journal.js'
import { invalidOption } from './validate.js'

const METHODS = [
  ...(['create', 'read', 'watch', 'stop', 'keep', 'remove', 'put', 'get', 'drop', 'list', 'stats', 'close'] as const),
] satisfies (keyof Journal)[]

/** @throws TypeError if the option is no journal */
export function resolveJournal(option: string, given: Journal | undefined): Journal | undefined {
  if (given === undefined) return undefined
  const isJournal =
    typeof given === 'object' && given !== null && METHODS.every((name) => typeof given[name] === 'function')
  return isJournal ? given : invalidOption(option, given, 'a journal: memoryJournal(), or redisJournal({ client })')
}
