import { mutationsOf } from '../mutation.js'

const RESUME = 'test/e2e/journal/resume.test.ts'
const PROMISES = 'test/e2e/journal/promises.test.ts'
const BACKGROUND = 'test/e2e/journal/background.test.ts'
const SLOW = 'test/e2e/journal/slow-readers.test.ts'
const SHARED = 'test/e2e/journal/shared-and-resumed.test.ts'

/** Who may continue a stream, from where, and for how long. */
export const resume = mutationsOf(
  'resume',
  [RESUME, PROMISES],
  [
    ['if (about.reader !== reader) throw notFound()', ''],
    ['if (alias.reader !== reader) throw notFound()', '', SHARED],
    ['if (position.epoch !== undefined && position.epoch !== epoch) throw gone()', ''],
    [
      'if (page.oldest > after + 1 && page.newest > after) throw gone()',
      'if (page.oldest > after && page.newest > after) throw gone()',
    ],
    [
      'resume?.keeps === true && this.#prefix !== undefined && graceMs > 0',
      'resume?.keeps === true && graceMs > 0',
      SHARED,
    ],
    ['if (this.readers > 0) return\n', '\n'],
    ['if (!found && isThenable(asked)) {', 'if (false) {'],
    ['?? (await lookAgain(exchange, look))', '', BACKGROUND],
    ['if (owners && isFirst) setImmediate(() => owners.note(exchange))', '', BACKGROUND],
    ['if (failure && answer.error === undefined) {', 'if (false) {'],
    ['if (isComplete || answer.isCompleteFor(choicesAsked)) return undefined', ''],
    ['return this.isReadByOthers || this.#exchange.recorder?.mayReturn === true', 'return this.isReadByOthers', SLOW],
    ['return this.#hasOtherIds ? joined(split(events).map(withoutIdLines)) : events', 'return events'],
    ['if (this.#after < page.newest) return this.#onChange()', '', SHARED],
    ["page.end?.how !== 'vacated' && ", '', 'test/e2e/journal/early-headers.test.ts'],
    ['if (owner !== reader) throw notFound()', '', BACKGROUND],
  ],
)
