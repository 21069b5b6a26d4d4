import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Journal, JournalWriter } from '../../lib/api/journal.js'
import { type RedisClient, type RedisJournalOptions, redisJournal } from '../../lib/journal.js'
import { within } from '../e2e/support/waiting.js'
import { startRedis, withoutRedis } from '../support/redis.js'
import { fakeRedis, slowRedis } from '../support/redis-links.js'
import { clientNames, clients } from './clients.js'
import { batchOf, entryOf, eventsAfter, Told } from './support.js'

type Limits = Omit<RedisJournalOptions, 'client'>

async function journalOf(t: TestContext, name: 'ioredis' | 'redis', port: number, limits: Limits = {}) {
  const { client, close } = await clients[name](port)
  const journal = redisJournal({ client, ...limits })
  t.after(async () => {
    await journal.close()
    close()
  })
  return journal
}

/** Begins an entry, and waits for its failure. */
function begin(journal: Journal, id: string) {
  const told = new Told()
  const failed = new Promise<unknown>((resolve) => {
    told.onAny = () => told.failures.length > 0 && resolve(told.failures[0])
  })
  const writer = journal.create(entryOf(id), told)
  return { told, writer, failed: () => within(failed, `entry ${id} to fail`) }
}

/** Begins entries until one is kept. */
async function works(journal: Journal, id: string): Promise<JournalWriter> {
  const attempt = async () => {
    for (let attempts = 0; ; attempts++) {
      const { told, writer } = begin(journal, `${id}${attempts}`)
      writer.append(batchOf(1, 'one'))
      const page = await Promise.resolve(journal.read(`${id}${attempts}`, 0, 100)).catch(() => undefined)
      if (page?.newest === 1 && told.failures.length === 0) return writer
      await nextRound()
    }
  }
  return within(attempt(), 'Redis to be used again')
}

/** The warnings of the journal in this process. */
function warningsOf(t: TestContext): Error[] {
  const warnings: Error[] = []
  const onWarning = (warning: Error & { code?: string }) => {
    if (warning.code === 'AI_PROXY_JOURNAL_STORE') warnings.push(warning)
  }
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  return warnings
}

describe('a journal whose Redis fails', { skip: withoutRedis }, () => {
  for (const name of clientNames) {
    describe(`with the client ${name}`, () => {
      test('gives up what waits, fails at once, warns once, and works again when Redis is back', async (t) => {
        const server = await startRedis()
        const limits = { timeoutMs: 500 }
        const [journal, other] = [
          await journalOf(t, name, server.port, limits),
          await journalOf(t, name, server.port, limits),
        ]
        t.after(server.stop)
        const warnings = warningsOf(t)
        const { told, writer, failed } = begin(journal, 'a')
        writer.append(batchOf(1, 'secret-event'))
        assert.equal((await journal.read('a', 0, 100)).newest, 1)
        await server.kill()
        writer.append(batchOf(2, 'secret-event'))
        assert.ok((await failed()) instanceof Error)
        assert.deepEqual(journal.stats(), { ...journal.stats(), entries: 0, bytes: 0, incomplete: 1 })
        // Nothing waits for Redis now.
        const next = begin(journal, 'b')
        next.writer.append(batchOf(1, 'one'))
        await Promise.resolve()
        assert.equal(next.told.failures.length, 1)
        await assert.rejects(async () => journal.read('a2', 0, 100))
        await assert.rejects(async () => journal.put('secret-name', 'secret-value', 1000))
        await assert.rejects(async () => journal.list(''))
        await nextRound()
        assert.equal(warnings.length, 1)
        await server.restart()
        const again = await works(journal, 'c')
        again.append(batchOf(2, 'two'))
        await journal.read('c', 0, 100)
        assert.equal(warnings.length, 1)
        assert.doesNotMatch(JSON.stringify(warnings.map((each) => [each.message, Object.values(each)])), /secret/)
        assert.equal(told.failures.length, 1)
        const { state } = await works(other, 'd').then(() => other.read('a', 0, 100))
        assert.equal(state, 'missing')
      })

      test('that forgets everything in mid-entry is noticed by the writer and the watchers', async (t) => {
        const server = await startRedis()
        const [one, two] = [await journalOf(t, name, server.port), await journalOf(t, name, server.port)]
        t.after(server.stop)
        const { writer, failed } = begin(one, 'a')
        writer.append(batchOf(1, 'one'))
        await one.read('a', 0, 100)
        let look = () => {}
        const missing = new Promise<void>((resolve, reject) => {
          look = () => {
            const seen = ({ state }: { state: string }) => state === 'missing' && resolve()
            // It cannot be read while Redis starts: whoever watches is called back again.
            Promise.resolve(two.read('a', 0, 100)).then(seen, () => {})
          }
          const timer = setTimeout(() => reject(new Error('nobody was told')), 20_000)
          timer.unref()
        })
        const known = new Promise<void>((resolve) => {
          two.watch('a', () => {
            look()
            resolve()
          })
        })
        await within(known, 'the entry to be known')
        await server.restart()
        await missing
        writer.append(batchOf(2, 'two'))
        assert.ok((await failed()) instanceof Error)
      })

      test('for some seconds is not kept from those who watch', async (t) => {
        const server = await startRedis()
        const [one, two] = [await journalOf(t, name, server.port), await journalOf(t, name, server.port)]
        t.after(server.stop)
        begin(one, 'a').writer.append(batchOf(1, 'one'))
        await one.read('a', 0, 100)
        let onRead = (_: unknown) => {}
        const read = (isSo: (answer: unknown) => boolean) =>
          new Promise<void>((resolve) => {
            onRead = (answer) => isSo(answer) && resolve()
          })
        const first = read((answer) => !(answer instanceof Error))
        two.watch('a', () => {
          const page = new Promise((resolve) => resolve(two.read('a', 0, 100)))
          page.catch((error) => error).then((answer) => onRead(answer))
        })
        await within(first, 'the entry to be read')
        const failed = read((answer) => answer instanceof Error)
        await server.kill()
        await within(failed, 'whoever watches to know', 10_000)
        const missing = read((answer) => (answer as { state?: string }).state === 'missing')
        await server.restart()
        await within(missing, 'whoever watches to know more')
      })

      test('by being slow gives up entries, not answers', async (t) => {
        const server = await startRedis()
        t.after(server.stop)
        const link = await slowRedis(server.port, 300)
        const journal = await journalOf(t, name, link.port, { timeoutMs: 100 })
        t.after(link.close)
        const { told, writer, failed } = begin(journal, 'a')
        writer.append(batchOf(1, 'one'))
        assert.match(String(await failed()), /no answer in 100 ms/)
        writer.append(batchOf(2, 'two'))
        writer.end({ how: 'complete', about: '' })
        assert.equal(told.failures.length, 1)
      })

      test('by being out of memory is told, and used again later', async (t) => {
        const server = await startRedis()
        const direct = new Redis(server.port, '127.0.0.1')
        const journal = await journalOf(t, name, server.port)
        t.after(() => direct.disconnect())
        t.after(server.stop)
        await direct.config('SET', 'maxmemory', '1')
        const { failed } = begin(journal, 'a')
        assert.match(String(await failed()), /OOM/)
        await direct.config('SET', 'maxmemory', '0')
        await works(journal, 'b')
      })
    })
  }

  /** A client of which each call fails while `error` is set. */
  function failingClient(real: Redis) {
    const state: { error: Error | undefined } = { error: undefined }
    const or = <T>(call: () => T) => (state.error ? Promise.reject(state.error) : call())
    const client = {
      evalsha: (sha: string, keys: number, ...args: string[]) => or(() => real.evalsha(sha, keys, ...args)),
      eval: (script: string, keys: number, ...args: string[]) => or(() => real.eval(script, keys, ...args)),
      duplicate: () => real.duplicate(),
    }
    return { state, client: client as unknown as RedisClient }
  }

  test('for a moment keeps what is written meanwhile, and gives it up if that takes longer', async (t) => {
    const server = await startRedis()
    const real = new Redis(server.port, '127.0.0.1')
    const { state, client } = failingClient(real)
    const journal = redisJournal({ client })
    t.after(async () => {
      await journal.close()
      real.disconnect()
      await server.stop()
    })
    const [first, second] = [begin(journal, 'a'), begin(journal, 'b')]
    for (const { writer } of [first, second]) writer.append(batchOf(1, 'one'))
    await journal.read('b', 0, 100)
    state.error = new Error('for a moment')
    await assert.rejects(async () => journal.get('name'), /for a moment/)
    first.writer.append(batchOf(2, 'two'))
    state.error = undefined
    const isBack = async () => {
      while ((await Promise.resolve(journal.read('a', 0, 100)).catch(() => undefined))?.newest !== 2) await nextRound()
    }
    await within(isBack(), 'what was written to be there')
    assert.deepEqual(first.told.failures, [])
    state.error = new Error('for long')
    await assert.rejects(async () => journal.get('name'), /for long/)
    second.writer.append(batchOf(2, 'two'))
    assert.match(String(await second.failed()), /for long/)
    assert.deepEqual(first.told.failures, [])
    assert.equal(journal.stats().entries, 1)
    state.error = undefined
    await works(journal, 'c')
    assert.equal((await journal.read('b', 0, 100)).state, 'missing')
    first.writer.append(batchOf(3, 'three'))
    assert.equal((await journal.read('a', 0, 100)).newest, 3)
  })

  for (const answer of [':1\r\n', '+OK\r\n', '$-1\r\n', '*0\r\n', '*1\r\n*1\r\n:1\r\n', '-ERR no\r\n', undefined]) {
    test(`by answering ${JSON.stringify(answer)} to scripts causes errors, and nothing worse`, async (t) => {
      const server = await fakeRedis(answer)
      const client = new Redis(server.port, '127.0.0.1', { protocol: 2 })
      client.on('error', () => {})
      const journal = redisJournal({ client, timeoutMs: 200 })
      t.after(async () => {
        await journal.close()
        client.disconnect()
        await server.close()
      })
      await once(client, 'ready')
      const { failed, writer } = begin(journal, 'a')
      writer.append(batchOf(1, 'one'))
      const failure = await failed()
      if (answer !== '*0\r\n') assert.ok(failure instanceof Error)
      // A list of nothing is what is known of a missing entry.
      if (answer === '*0\r\n') assert.equal((await journal.read('b', 0, 100)).state, 'missing')
      else await assert.rejects(async () => journal.read('b', 0, 100), Error)
      const end = journal.watch('b', () => {})
      if (answer !== ':1\r\n') await assert.rejects(async () => journal.put('n', 'v', 1000), Error)
      await assert.rejects(async () => journal.get('n'), Error)
      end()
    })
  }
})

describe('what waits for Redis', () => {
  /** A client that never answers, and adds up what it was given. */
  function silentClient() {
    const state = { bytes: 0, calls: 0 }
    const take = (...args: unknown[]) => {
      state.calls++
      for (const arg of args) state.bytes += String(arg).length
      return new Promise<never>(() => {})
    }
    const duplicate = () => {
      const closing = new EventEmitter()
      const never = () => new Promise<never>(() => {})
      const close = () => closing.emit('close')
      return Object.assign(closing, { connect: async () => {}, call: never, sendCommand: never, disconnect: close })
    }
    return { state, client: { evalsha: take, eval: take, duplicate } as unknown as RedisClient }
  }

  test('is bounded, however much is written, and the writers are told', async (t) => {
    const { state, client } = silentClient()
    const journal = redisJournal({ client, maxPendingBytes: 1_000_000, timeoutMs: 60_000 })
    t.after(() => void journal.close())
    const entries = Array.from({ length: 10 }, (_, at) => begin(journal, `e${at}`))
    await nextRound()
    for (let number = 1; number <= 10_000; number++) {
      entries[number % 10]!.writer.append(batchOf(Math.ceil(number / 10), 'x'.repeat(1000)))
      if (number % 100 === 0) await nextRound()
    }
    for (const { failed, told } of entries) {
      assert.match(String(await failed()), /Too much waits for Redis/)
      assert.equal(told.failures.length, 1)
    }
    assert.ok(state.bytes < 1_000_000 && state.calls < 5, `${state.calls} calls, ${state.bytes} bytes`)
    assert.deepEqual(journal.stats(), { entries: 0, bytes: 0, failures: 0, incomplete: 10 })
    t.diagnostic(`${state.calls} calls, ${state.bytes} bytes`)
  })

  test('has room again for others when entries are given up', async (t) => {
    const { client } = silentClient()
    const journal = redisJournal({ client, maxPendingBytes: 10_000, timeoutMs: 60_000 })
    t.after(() => void journal.close())
    const first = begin(journal, 'a')
    first.writer.append(batchOf(1, 'x'.repeat(20_000)))
    await first.failed()
    const second = begin(journal, 'b')
    second.writer.append(batchOf(1, 'x'.repeat(9000)))
    await nextRound()
    assert.deepEqual(second.told.failures, [])
    assert.equal(journal.stats().incomplete, 1)
  })

  test('is sent together, one call after another', { skip: withoutRedis }, async (t) => {
    const server = await startRedis()
    t.after(server.stop)
    const link = await slowRedis(server.port, 20)
    const journal = await journalOf(t, 'ioredis', link.port)
    t.after(link.close)
    const entries = Array.from({ length: 50 }, (_, at) => begin(journal, `e${at}`))
    await journal.read('e49', 0, 1)
    const before = link.commands.length
    for (let number = 1; number <= 20; number++) {
      for (const { writer } of entries) writer.append(batchOf(number, `event ${number}`))
      await nextRound()
    }
    const pages = await Promise.all(entries.map((_, at) => journal.read(`e${at}`, 0, 1e6)))
    for (const { batches } of pages) {
      assert.deepEqual(
        Object.values(eventsAfter(batches, 0)),
        Array.from({ length: 20 }, (_, at) => `event ${at + 1}`),
      )
    }
    const calls = link.commands.length - before - pages.length
    assert.ok(calls <= 20, `${calls} calls for 1000 batches`)
  })
})
