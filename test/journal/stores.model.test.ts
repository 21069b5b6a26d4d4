import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { Journal, JournalPage, JournalWriter } from '../../lib/api/journal.js'
import { MemoryJournal } from '../../lib/journal/memory-journal.js'
import { redisJournal } from '../../lib/journal/redis-journal.js'
import { within } from '../e2e/support/waiting.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { startRedisCluster } from '../support/redis-cluster.js'
import { clientNames, clients, clusterClients } from './clients.js'
import { PlainEntry } from './plain-model.js'
import { batchOf, entryOf, Told } from './support.js'

/** A store of the test: `writer` writes, and all read, each as a process of its own. */
interface Store {
  readonly isMemory: boolean
  readonly writer: Journal
  readonly readers: readonly Journal[]
}

interface Slot {
  readonly plain: PlainEntry
  readonly writers: readonly JournalWriter[]
  readonly watches: Watch[]
}

class Watch {
  readonly journal: Journal
  readonly isMemory: boolean
  readonly end: () => void
  #hasChanged = true
  #tell = () => {}

  constructor(journal: Journal, isMemory: boolean, id: string) {
    this.journal = journal
    this.isMemory = isMemory
    this.end = journal.watch(id, () => {
      this.#hasChanged = true
      this.#tell()
    })
  }

  /** Reads, and again after each change, until what is read is right: whoever watches needs to do no more. */
  async read(plain: PlainEntry, afterEvent: number, maxBytes: number): Promise<void> {
    while (true) {
      this.#hasChanged = false
      const page = await this.journal.read(plain.entry.id, afterEvent, maxBytes)
      try {
        return plain.check(page, afterEvent, maxBytes, this.isMemory)
      } catch (error) {
        if (this.#hasChanged) continue
        const changed = new Promise<void>((resolve) => {
          this.#tell = resolve
        })
        await within(changed, `a change, because: ${error}`)
      }
    }
  }
}

interface Model {
  readonly slots: (Slot | undefined)[]
  readonly names: Map<string, string>
}

interface Real {
  readonly stores: readonly Store[]
  /** What ids and names begin with. */
  readonly run: string
}

type Command = fc.AsyncCommand<Model, Real>
const slotNumbers = fc.nat(2)

async function readAll(slot: Slot, { stores }: Real, afterEvent: number, maxBytes: number): Promise<void> {
  const { plain } = slot
  const { id } = plain.entry
  for (const { writer, readers, isMemory } of stores) {
    // Those who watch read what their process knows, which is checked below.
    if (slot.watches.length > 0) continue
    // Removing what is not there waits for what is being removed.
    if (plain.isMissing) await writer.remove(id)
    for (const journal of [writer, ...readers]) {
      const page: JournalPage = await journal.read(id, afterEvent, maxBytes)
      plain.check(page, afterEvent, maxBytes, isMemory)
    }
  }
  for (const watch of slot.watches) await watch.read(plain, afterEvent, maxBytes)
}

/** A command on an entry that fits. */
function onSlot<T>(
  what: string,
  arbitrary: fc.Arbitrary<T>,
  fits: (plain: PlainEntry) => boolean,
  run: (slot: Slot, value: T, real: Real) => unknown,
): fc.Arbitrary<Command> {
  return fc.tuple(slotNumbers, arbitrary).map(([at, value]) => ({
    check: ({ slots }) => slots[at] !== undefined && fits(slots[at].plain),
    async run({ slots }, real) {
      const slot = slots[at]!
      await run(slot, value, real)
      await readAll(slot, real, 0, 1e9)
    },
    toString: () => `${what} ${at} ${fc.stringify(value)}`,
  }))
}

let created = 0
const creating = fc
  .record({ at: slotNumbers, trims: fc.boolean(), maxBytes: fc.constantFrom(1, 40, 400, 100_000) })
  .map(
    ({ at, trims, maxBytes }): Command => ({
      check: () => true,
      async run({ slots }, real) {
        for (const watch of slots[at]?.watches ?? []) watch.end()
        const entry = entryOf(`${real.run}-${created++}`, { trims, maxBytes })
        const writers = real.stores.map(({ writer }) => writer.create(entry, new Told()))
        slots[at] = { plain: new PlainEntry(entry), writers, watches: [] }
        await readAll(slots[at], real, 0, 1e9)
      },
      toString: () => `create ${at} ${maxBytes} ${trims}`,
    }),
  )

const heading = onSlot(
  'head',
  fc.record({ status: fc.constantFrom(200, 404), text: fc.string({ unit: 'binary' }) }),
  ({ isOpen }) => isOpen,
  ({ plain, writers }, { status, text }) => {
    plain.head = { status, headers: { a: text, b: [text, 'ä'] }, framing: status === 200 ? 'sse' : undefined }
    for (const writer of writers) writer.setHead(plain.head)
  },
)

const events = fc.array(fc.oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.uint8Array({ minLength: 1 })), {
  minLength: 1,
  maxLength: 4,
})
const appending = onSlot(
  'append',
  fc.array(events, { minLength: 1, maxLength: 12 }),
  ({ isOpen }) => isOpen,
  ({ plain, writers }, batches) => {
    for (const each of batches) {
      const batch = batchOf(plain.newest + 1, ...each.map((event) => Buffer.from(event as string)))
      plain.append(batch)
      for (const writer of writers) writer.append(batch)
      // A writer writes no more once it was told; whether it was, is tested elsewhere.
      if (plain.isMissing) break
    }
  },
)

const ending = onSlot(
  'end',
  fc.record({ how: fc.constantFrom('complete', 'failed', 'vacated'), about: fc.string() }),
  ({ isOpen }) => isOpen,
  ({ plain, writers }, end) => {
    plain.end = { ...end }
    for (const writer of writers) writer.end(plain.end)
  },
)

const discarding = onSlot(
  'discard',
  fc.constant(''),
  ({ isOpen }) => isOpen,
  ({ plain, writers }) => {
    plain.isMissing = true
    for (const writer of writers) writer.discard()
  },
)

const removing = onSlot(
  'remove',
  fc.constant(''),
  () => true,
  async ({ plain }, _, { stores }) => {
    plain.isMissing = true
    for (const { readers } of stores) await readers[0]!.remove(plain.entry.id)
  },
)

const keeping = onSlot(
  'keep',
  fc.integer({ min: 30_000, max: 60_000 }),
  () => true,
  async ({ plain }, ms, { stores }) => {
    for (const { readers } of stores) await readers[0]!.keep(plain.entry.id, ms)
  },
)

const reading = onSlot(
  'read',
  fc.record({ after: fc.nat(40), maxBytes: fc.constantFrom(1, 10, 100, 1e6) }),
  () => true,
  async (slot, { after: afterEvent, maxBytes }, real) => {
    await readAll(slot, real, Math.min(afterEvent, slot.plain.newest), maxBytes)
  },
)

const watching = onSlot(
  'watch',
  fc.constant(''),
  ({ isMissing }) => !isMissing,
  ({ plain, watches }, _, { stores }) => {
    for (const { readers, writer, isMemory } of stores) {
      for (const journal of [writer, ...readers]) watches.push(new Watch(journal, isMemory, plain.entry.id))
    }
  },
)

const unwatching = onSlot(
  'unwatch',
  fc.constant(''),
  () => true,
  ({ watches }) => {
    for (const watch of watches.splice(0)) watch.end()
  },
)

const someNames = ['a', 'aa', 'ab', 'b', 'ä', 'ab:\u{1f600}', '']
const someValues = ['1', '2', '', 'a:b\nc\0d', 'ü']
const naming = fc
  .record({
    how: fc.constantFrom('put', 'put if absent', 'drop', 'drop if'),
    at: fc.nat(someNames.length - 1),
    value: fc.constantFrom(...someValues),
    prefix: fc.constantFrom('', 'a', 'ab', 'ä', 'x'),
  })
  .map(
    ({ how, at, value, prefix }): Command => ({
      check: () => true,
      async run({ names }, { stores, run }) {
        const name = `${run}:${someNames[at]}`
        const known = names.get(name)
        const isPut = how === 'put' || (how === 'put if absent' && known === undefined)
        const isDropped = how === 'drop' ? known !== undefined : how === 'drop if' && known === value
        for (const { writer } of stores) {
          if (how.startsWith('put')) {
            assert.equal(await writer.put(name, value, 1e6, how === 'put if absent'), isPut)
          } else assert.equal(await writer.drop(name, how === 'drop' ? undefined : value), isDropped)
        }
        if (isPut) names.set(name, value)
        if (isDropped) names.delete(name)
        const listed = [...names].filter(([each]) => each.startsWith(`${run}:${prefix}`)).sort()
        for (const { writer, readers } of stores) {
          for (const journal of [writer, ...readers]) {
            assert.equal(await journal.get(name), names.get(name))
            assert.deepEqual([...(await journal.list(`${run}:${prefix}`))].sort(), listed)
          }
        }
      },
      toString: () => `${how} ${someNames[at]}=${fc.stringify(value)}, list ${prefix}`,
    }),
  )

const commands = fc.commands(
  [
    creating,
    heading,
    appending,
    appending,
    ending,
    discarding,
    removing,
    keeping,
    reading,
    watching,
    unwatching,
    naming,
  ],
  { maxCommands: 60, size: 'max' },
)

for (const [where, start, kinds] of [
  ['a Redis server', startRedis, clients],
  ['a Redis cluster', startRedisCluster, clusterClients],
] as const) {
  describe(`journals in memory and in ${where} do what a plain model does`, { skip: withoutRedis }, () => {
    let server: RedisServer
    before(async () => {
      server = await start()
    })
    after(() => server.stop())

    for (const name of clientNames) {
      test(`${name} writes, all read`, async () => {
        const own = await kinds[name](server.port)
        const others = await Promise.all(clientNames.map((each) => kinds[each](server.port)))
        const journal = ({ client }: typeof own) => redisJournal({ client, prefix: `${name}:`, timeoutMs: 10_000 })
        const redis = { isMemory: false, writer: journal(own), readers: others.map(journal) }
        const memory = new MemoryJournal(1e9)
        const stores = [{ isMemory: true, writer: memory, readers: [memory] }, redis]
        let run = 0
        try {
          await fc.assert(
            fc.asyncProperty(commands, async (some) => {
              const setup = { model: { slots: [], names: new Map() }, real: { stores, run: `r${run++}` } }
              await fc.asyncModelRun(() => setup, some)
              for (const slot of setup.model.slots as (Slot | undefined)[]) {
                for (const watch of slot?.watches ?? []) watch.end()
              }
            }),
            // Shrinking would wait for each change in vain again.
            { numRuns: 100, endOnFailure: true },
          )
          assert.deepEqual([redis.writer.stats().failures, redis.writer.stats().incomplete], [0, 0])
        } finally {
          memory.close()
          await Promise.all([redis.writer, ...redis.readers].map((each) => each.close()))
          for (const { close } of [own, ...others]) close()
        }
      })
    }
  })
}
