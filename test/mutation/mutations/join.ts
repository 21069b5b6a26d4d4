import { mutationsOf } from '../mutation.js'

const CACHE = 'test/e2e/journal/cache.test.ts'
const EARLY = 'test/e2e/journal/early-headers.test.ts'
const SHARED = 'test/e2e/journal/shared-and-resumed.test.ts'
const SLOW = 'test/e2e/journal/slow-readers.test.ts'
const JOINED = 'test/e2e/journal/joined-after-policies.test.ts'
const ENDS = 'test/e2e/journal/joined-ends.test.ts'
const LIVING = 'test/e2e/journal/living-leader.test.ts'
const READERS = 'test/handle/stream-readers.test.ts'

/** Requests that share an answer that is under way. */
export const join = mutationsOf(
  'join',
  [CACHE, EARLY],
  [
    ['const isVacated = !hasBegun && isOwn', 'const isVacated = isOwn'],
    ['return this.#request.mayBeVacated && this.#last === undefined', 'return this.#request.mayBeVacated', SLOW],
    ['return this.#number > 0', 'return this.#hasBegun', EARLY],
    ['exchange.asksForStream && !exchange.countsAsStream', 'exchange.asksForStream', EARLY],
    ["if (!res.headersSent) res.setHeader('x-cache', 'miss')", "res.setHeader('x-cache', 'miss')", EARLY],
    ['if (known !== id) putAlias', 'if (known === id) putAlias', EARLY],
    ['if (!this.#last) this.#request.onBegin?.()', '', JOINED],
    ["if (cache === 'hit' || cache === 'join') return true", '', JOINED],
    ["if (result !== 'served') this.#note(undefined)", '', JOINED],
    [' || failure.limit !== undefined', '', LIVING],
    ["mayGoOn ? 'unreadable' : 'vacated'", "'vacated'", LIVING],
    ["this.#isOpen = page.state === 'open'", '', LIVING],
    ['if (isShared(failure) || TOLD.has(failure.code)) return failure', 'return failure', ENDS],
    ['told = failure && isForOthers && !isVacated ? failureForOthers(failure) : failure', 'told = failure', ENDS],
    ['mayReturn || (!this.#isOver && this.readers > 0)', 'mayReturn'],
    ['if (this.isReadByOthers) return this.#letOthersGoOn()', '', SLOW],
    ['this.endsLater = true\n      return this.#drain.awaitReader()', 'this.endsLater = true', SLOW],
    ['if (!isNeeded) await journal.stop(entry)', 'await journal.stop(entry)', READERS, SHARED],
    ['(value === AWAY && !left.has(client))', 'value === AWAY', READERS, SHARED],
    ['value === READS || (value === AWAY && !left.has(client))', 'value === READS', READERS, SHARED],
    ['onClientDone?.(this.mayReturn)', 'onClientDone?.(false)', SHARED],
    ["isCutOff && resume && onClientDisconnect === 'keep'", 'isCutOff && resume', SHARED],
    ["onClientDisconnect === 'keep' ? resume.graceMs : 0", "onClientDisconnect === 'keep' ? 0 : 0", SHARED],
    ['readonly #process = newStreamId()', "readonly #process = ''", READERS],
    ['for (const [name, { journal }] of this.#marks) put(journal, name)', '', READERS],
    ['if (--mark.count > 0) return', 'mark.count--', READERS],
  ],
)
