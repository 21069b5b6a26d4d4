import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Journal } from '../../lib/api/journal.js'
import { redisJournal } from '../../lib/journal.js'
import { within } from '../e2e/support/waiting.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { slowRedis } from '../support/redis-links.js'
import { clientNames, clients } from './clients.js'
import { batchOf, entryOf, eventsAfter, Told } from './support.js'

const complete = { how: 'complete', about: '{}' } as const
const head = { status: 200, headers: {}, framing: 'sse' }

/** Resolves when what a watcher reads is as it should be: read at first, then after each change. */
function reads(journal: Journal, id: string, isSo: (state: string, newest: number) => boolean, ms?: number) {
  let stop = () => {}
  const seen = new Promise<void>((resolve, reject) => {
    const look = async () => {
      const { state, newest } = await journal.read(id, 0, 1e6)
      if (isSo(state, newest)) resolve()
    }
    stop = journal.watch(id, () => void look().catch(reject))
    look().catch(reject)
  })
  return within(seen, `a change of ${id}`, ms).finally(stop)
}

describe('a journal in Redis', { skip: withoutRedis }, () => {
  let server: RedisServer
  let direct: Redis
  before(async () => {
    server = await startRedis()
    direct = new Redis(server.port, '127.0.0.1')
  })
  beforeEach(() => direct.flushall())
  after(async () => {
    direct.disconnect()
    await server.stop()
  })

  async function journalOf(
    t: TestContext,
    name: 'ioredis' | 'redis' = 'ioredis',
    port = server.port,
  ): Promise<Journal> {
    const { client, close } = await clients[name](port)
    const journal = redisJournal({ client })
    t.after(async () => {
      await journal.close()
      close()
    })
    return journal
  }

  async function startWriter(t: TestContext, id: string): Promise<ChildProcess> {
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
    const child = fork(join(__dirname, 'writer-process.ts'), [String(server.port), id], {
      execArgv: ['--import', 'tsx'],
      env,
    })
    t.after(() => child.kill('SIGKILL'))
    await within(once(child, 'message'), 'a process to write', 60_000)
    return child
  }

  for (const name of clientNames) {
    describe(`with the client ${name}`, () => {
      test('has what another process writes, and says within 10 s that it was killed', async (t) => {
        const child = await startWriter(t, 'killed')
        const journal = await journalOf(t, name)
        const page = await journal.read('killed', 0, 1e6)
        assert.deepEqual([page.state, eventsAfter(page.batches, 0)], ['open', { 1: 'one', 2: 'two' }])
        const lost = reads(journal, 'killed', (state) => state === 'lost', 10_000)
        child.kill('SIGKILL')
        await lost
        assert.equal((await journal.read('killed', 0, 1e6)).state, 'lost')
      })

      test('passes a stop to the process that writes, and tells it how many read', async (t) => {
        const child = await startWriter(t, 'stopped')
        const journal = await journalOf(t, name)
        const next = async () => (await within(once(child, 'message'), 'a message'))[0]
        const ends = [journal.watch('stopped', () => {})]
        assert.deepEqual(await next(), { stops: 0, readers: 1, failures: 0 })
        ends.push(journal.watch('stopped', () => {}))
        assert.deepEqual(await next(), { stops: 0, readers: 2, failures: 0 })
        await journal.stop('stopped')
        assert.deepEqual(await next(), { stops: 1, readers: 2, failures: 0 })
        for (const end of ends) end()
        let told = await next()
        if (told.readers > 0) told = await next()
        assert.deepEqual(told, { stops: 1, readers: 0, failures: 0 })
      })

      test('tells the process that writes at once, not once a second', async (t) => {
        const two = await journalOf(t, name)
        // Rounds of this journal never come.
        t.mock.timers.enable({ apis: ['setInterval'] })
        const one = await journalOf(t, name)
        const told = new Told()
        const writer = one.create(entryOf('a'), told)
        await one.read('a', 0, 1)
        const next = () => within(new Promise<void>((resolve) => (told.onAny = resolve)), 'a message')
        const [, end] = await Promise.all([next(), two.watch('a', () => {})])
        assert.equal(writer.readers, 1)
        await Promise.all([next(), two.stop('a')])
        assert.equal(told.stops, 1)
        await Promise.all([next(), end()])
        assert.equal(writer.readers, 0)
      })

      test('goes on at once if the connection on which it waits is lost', async (t) => {
        const [one, two] = [await journalOf(t, name), await journalOf(t, name)]
        const writer = one.create(entryOf('a'), new Told())
        writer.append(batchOf(1, 'one'))
        await one.read('a', 0, 1)
        let onChange = () => {}
        two.watch('a', () => onChange())
        const waiting = async () => {
          const list = String(await direct.client('LIST'))
          return list.split('\n').find((line) => line.includes(' cmd=xread '))
        }
        let line = await waiting()
        for (; !line; line = await waiting()) await nextRound()
        await direct.client('KILL', 'ID', /\bid=(\d+)/.exec(line)![1]!)
        writer.append(batchOf(2, 'two'))
        const seen = new Promise<void>((resolve, reject) => {
          const look = async () => (await two.read('a', 1, 1e6)).newest === 2 && resolve()
          onChange = () => void look().catch(reject)
        })
        await within(seen, 'the second event', 3000)
      })

      test('forgets the readers of a process that is gone', async (t) => {
        const [one, two] = [await journalOf(t, name), await journalOf(t, name)]
        const told = new Told()
        const writer = one.create(entryOf('a'), told)
        const readers = (count: number) => told.until(() => writer.readers === count, `${count} readers`)
        await one.read('a', 0, 1)
        two.watch('a', () => {})
        await readers(1)
        one.watch('a', () => {})
        assert.equal(writer.readers, 2)
        await two.close()
        await readers(1)
      })

      test('remembers the readers of a process that was only late', async (t) => {
        const [one, two] = [await journalOf(t, name), await journalOf(t, name)]
        const told = new Told()
        const writer = one.create(entryOf('a'), told)
        const readers = (count: number) => told.until(() => writer.readers === count, `${count} readers`)
        await one.read('a', 0, 1)
        two.watch('a', () => {})
        await readers(1)
        const alive = 'ai-journal:{0}alive'
        const writes = await direct.hget('ai-journal:{0}entry:a', 'writer')
        let late: string[] = []
        while (late.length === 0) {
          const members = await direct.zrange(alive, 0, '-1')
          late = members.filter((each) => each !== writes && !each.endsWith(':renews'))
        }
        // As if it were held up until the others count it as gone.
        const hold = setInterval(() => {
          for (const each of late) void direct.zadd(alive, 1, each, 1, `${each}:renews`)
        }, 5)
        await readers(0).finally(() => clearInterval(hold))
        await readers(1)
      })

      test('gives a thousand watchers in one process what is new with a handful of commands', async (t) => {
        const link = await slowRedis(server.port, 0)
        const [one, two] = [await journalOf(t), await journalOf(t, name, link.port)]
        t.after(link.close)
        const writer = one.create(entryOf('a'), new Told())
        await one.read('a', 0, 1)
        let missing = 0
        let done = () => {}
        const all = () =>
          new Promise<void>((resolve) => {
            missing = 1000
            done = resolve
          })
        const after = new Array<number>(1000).fill(0)
        const look = (index: number) => {
          const page = two.read('a', after[index]!, 65_536)
          assert.ok(!(page instanceof Promise), 'the page is known')
          if (page.newest === after[index]) return
          assert.deepEqual(eventsAfter(page.batches, after[index]!), { [after[index]! + 1]: 'event' })
          after[index] = page.newest
          if (--missing === 0) done()
        }
        const ready = new Promise<void>((resolve) => two.watch('a', resolve))
        await within(ready, 'the entry to be known')
        for (let index = 0; index < 1000; index++) two.watch('a', () => look(index))
        const before = link.commands.length
        for (let number = 1; number <= 5; number++) {
          const told = all()
          writer.append(batchOf(number, 'event'))
          await within(told, 'all to be told')
        }
        assert.ok(link.commands.length - before < 50, `${link.commands.length - before} commands`)
      })
    })
  }

  test('gives every key a time to live', async (t) => {
    const journal = await journalOf(t)
    journal.create(entryOf('open'), new Told()).append(batchOf(1, 'one'))
    const ended = journal.create(entryOf('ended', { keepMs: 5000 }), new Told())
    ended.append(batchOf(1, 'one'))
    ended.end(complete)
    journal.create(entryOf('discarded'), new Told()).discard()
    await journal.put('name', 'value', 5000)
    const other = await journalOf(t)
    await reads(other, 'open', (state) => state === 'open')
    await reads(other, 'ended', (state) => state === 'ended')
    await journal.remove('discarded')
    await journal.stop('open')
    const keys = await direct.keys('*')
    const times = new Map<string, number>()
    for (const key of keys) times.set(key.replace(/^ai-journal:\{0\}/, ''), await direct.pttl(key))
    assert.ok(times.size >= 8, [...times.keys()].join())
    for (const [key, ms] of times) assert.ok(ms > 0 && ms <= 15 * 60_000, `${key}: ${ms}`)
    for (const key of ['entry:ended', 'events:ended', 'name:name', 'names']) assert.ok(times.get(key)! <= 5000, key)
  })

  test('keeps an entry and a name for ever, or nearly', async (t) => {
    const journal = await journalOf(t)
    const keepMs = Number.MAX_VALUE
    const writer = journal.create(entryOf('eternal', { keepMs }), new Told())
    writer.end({ how: 'complete', about: '{}' })
    assert.equal(await journal.put('eternal', 'value', keepMs), true)
    await journal.keep('eternal', keepMs)
    assert.equal((await journal.read('eternal', 0, 1)).state, 'ended')
    assert.equal(await journal.get('eternal'), 'value')
    assert.equal(journal.stats().failures, 0)
  })

  test('keeps no more of a long entry than it may', async (t) => {
    const journal = await journalOf(t)
    const writer = journal.create(entryOf('a', { maxBytes: 64_000, trims: true }), new Told())
    for (let number = 1; number <= 2000; number++) {
      writer.append(batchOf(number, 'x'.repeat(1000)))
      if (number % 10 === 0) await journal.read('a', 0, 1)
    }
    const { batches, oldest, newest } = await journal.read('a', 0, 1e6)
    assert.deepEqual([newest, batches[0]!.first, batches.length], [2000, oldest, 2001 - oldest])
    assert.ok(batches.length <= 64 && batches.length >= 60, `${batches.length} of 1000 bytes`)
    assert.ok((await direct.xlen('ai-journal:{0}events:a')) <= 64)
    assert.ok(Math.abs(journal.stats().bytes - batches.length * 1000) < 10)
  })

  test('drops an entry that is too long and does not trim, everywhere', async (t) => {
    const [one, two] = [await journalOf(t), await journalOf(t)]
    const told = new Told()
    const writer = one.create(entryOf('a', { maxBytes: 100 }), told)
    await one.read('a', 0, 1)
    const gone = reads(two, 'a', (state) => state === 'missing')
    writer.append(batchOf(1, 'x'.repeat(101)))
    await gone
    assert.deepEqual([told.failures, one.stats().incomplete], [[undefined], 0])
  })

  test('tells a writer whose entry was removed by another process', async (t) => {
    const [one, two] = [await journalOf(t), await journalOf(t)]
    const told = new Told()
    const writer = one.create(entryOf('a'), told)
    await one.read('a', 0, 1)
    await two.remove('a')
    const failed = new Promise<void>((resolve) => {
      told.onAny = resolve
    })
    writer.append(batchOf(1, 'one'))
    await within(failed, 'the writer to be told')
    assert.deepEqual(told.failures, [undefined])
    assert.equal((await one.read('a', 0, 1)).state, 'missing')
  })

  test('gives up an entry of which Redis has evicted a part, and counts that', async (t) => {
    for (const part of ['entry', 'events']) {
      const journal = await journalOf(t)
      const told = new Told()
      const failed = new Promise<unknown>((resolve) => {
        told.onAny = () => told.failures.length > 0 && resolve(told.failures[0])
      })
      const writer = journal.create(entryOf(part), told)
      writer.append(batchOf(1, 'one'))
      await journal.read(part, 0, 1)
      await direct.del(`ai-journal:{0}${part}:${part}`)
      writer.append(batchOf(2, 'two'))
      assert.ok((await within(failed, 'the entry to fail')) instanceof Error)
      assert.equal(journal.stats().incomplete, 1)
    }
  })

  test('knows an entry in all processes before a name that is put after it', async (t) => {
    const [one, two] = [await journalOf(t), await journalOf(t, 'redis')]
    for (let round = 0; round < 50; round++) {
      one.create(entryOf(`e${round}`), new Told()).setHead(head)
      const put = one.put('name', `e${round}`, 5000)
      let id: string | undefined
      while (id !== `e${round}`) id = await two.get('name')
      assert.equal((await two.read(id, 0, 1)).state, 'open')
      await put
    }
  })

  test('forgets names after their time, and lists many of them', async (t) => {
    const journal = await journalOf(t)
    await journal.put('short', 'value', 20)
    await Promise.all(Array.from({ length: 1200 }, (_, at) => journal.put(`long:${at}`, `${at}`, 60_000)))
    assert.equal((await journal.list('long:')).length, 1200)
    const isGone = async () => {
      while ((await journal.get('short')) !== undefined) await nextRound()
    }
    await within(isGone(), 'the name to be gone')
    assert.deepEqual(await journal.list('short'), [])
    await journal.put('other', 'value', 60_000)
    assert.equal(await direct.zscore('ai-journal:{0}names', 'short'), null)
  })

  test('keeps no process alive whose client was closed', async (t) => {
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
    const execArgv = ['--import', 'tsx']
    const child = fork(join(__dirname, 'leaving-process.ts'), [String(server.port)], { execArgv, env })
    t.after(() => child.kill('SIGKILL'))
    child.disconnect()
    assert.deepEqual(await within(once(child, 'exit'), 'the process to end'), [0, null])
  })

  test('says at once that a closed process is gone', async (t) => {
    const [one, two] = [await journalOf(t), await journalOf(t)]
    one.create(entryOf('a'), new Told()).append(batchOf(1, 'one'))
    await one.close()
    const { state, newest } = await two.read('a', 0, 1)
    assert.deepEqual([state, newest], ['lost', 1])
  })

  test('says of no living process that it is gone because the clock of the server has gone on', async (t) => {
    const [one, two] = [await journalOf(t), await journalOf(t)]
    one.create(entryOf('a'), new Told()).append(batchOf(1, 'one'))
    await one.read('a', 0, 1)
    // As a server sees it whose clock is ahead by 30 s, until the process says again that it is alive.
    const alive = 'ai-journal:{0}alive'
    for (const member of await direct.zrange(alive, '-inf', '+inf', 'BYSCORE')) {
      await direct.zincrby(alive, -30_000, member)
    }
    assert.equal((await two.read('a', 0, 1)).state, 'open')
    assert.equal((await two.read('a', 0, 1)).state, 'open')
  })

  test('works with a client that puts a prefix before all keys', async (t) => {
    const client = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:' })
    const journal = redisJournal({ client })
    t.after(async () => {
      await journal.close()
      client.disconnect()
    })
    const writer = journal.create(entryOf('a'), new Told())
    const ended = reads(journal, 'a', (state, newest) => state === 'ended' && newest === 1)
    writer.append(batchOf(1, 'one'))
    writer.end(complete)
    await ended
    const keys = await direct.keys('*')
    assert.ok(keys.length > 2 && keys.every((key) => key.startsWith('app:ai-journal:')), keys.join())
  })

  for (const [what, options, message] of [
    ['no client', {}, /^redisJournal: client takes a client of ioredis or redis; got undefined/],
    ['something else', { client: { evalsha() {} } }, /^redisJournal: client takes/],
    ['an unknown option', { client: {}, prefx: '' }, /^redisJournal: there is no option prefx\. Did you mean prefix\?/],
  ] as const) {
    test(`rejects ${what}`, () => {
      assert.throws(() => redisJournal(options as never), { name: 'TypeError', message })
    })
  }

  test('rejects options that are not numbers, or not above 0', () => {
    for (const name of ['timeoutMs', 'maxPendingBytes']) {
      for (const value of [0, -1, '1', Number.NaN, null]) {
        assert.throws(() => redisJournal({ client: direct, [name]: value }), {
          name: 'TypeError',
          message: new RegExp(`^redisJournal: ${name} takes a .*; got`),
        })
      }
    }
    assert.throws(() => redisJournal({ client: direct, prefix: 'a{b}' }), /redisJournal: prefix takes .*; got 'a\{b\}'/)
  })
})
