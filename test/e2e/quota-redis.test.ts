import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import Redis from 'ioredis'
import { createClient } from 'redis'
import { type QuotaOptions, quota, type RedisClient, redisStore } from '../../lib/quota.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { fakeRedis, type RedisLink, slowRedis } from '../support/redis-links.js'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, type Provider, startProvider } from './support/provider.js'
import type { QuotaProcessSettings } from './support/quota-process.js'
import { until, within } from './support/waiting.js'

const { path: at, request } = openai
const plain = { ...request, stream: false }
const answer = {
  model: 'gpt-test',
  choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50 },
}
const key = 'user:ada'
const WORD = JSON.stringify({ choices: [{ index: 0, delta: { content: ' word' }, finish_reason: null }] })

const clients = {
  ioredis: async (t: Owner, port: number): Promise<RedisClient> => {
    const client = new Redis(port, '127.0.0.1')
    client.on('error', () => {})
    t.after(() => client.disconnect())
    return client
  },
  redis: async (t: Owner, port: number): Promise<RedisClient> => {
    const client = createClient({ socket: { host: '127.0.0.1', port } })
    client.on('error', () => {})
    await client.connect()
    t.after(() => client.destroy())
    return client
  },
}
type ClientName = keyof typeof clients
const clientNames = Object.keys(clients) as ClientName[]

/** Repeats a question until its answer is yes. */
async function eventually(isSo: () => Promise<boolean>, what: string): Promise<void> {
  let isOver = false
  const ask = async () => {
    while (!isOver && !(await isSo())) await nextRound()
  }
  await within(ask(), what, 20_000).finally(() => {
    isOver = true
  })
}

/** An app in a process of its own. */
interface AppProcess {
  readonly url: string
  readonly child: ChildProcess
}

async function startProcess(t: Owner, settings: QuotaProcessSettings): Promise<AppProcess> {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
  const child = fork(path.join(__dirname, 'support/quota-process.ts'), [JSON.stringify(settings)], {
    execArgv: ['--import', 'tsx'],
    env,
  })
  t.after(() => child.kill('SIGKILL'))
  const [port] = await within(once(child, 'message'), 'a process to listen', 120_000)
  return { url: `http://127.0.0.1:${port}/ai`, child }
}

describe('three processes on one Redis', { skip: withoutRedis }, () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  /** By the first words of users' names. */
  const limits = {
    few: [{ key: 'user:USER', concurrent: 10 }],
    // Each request reserves 100 tokens of output, and a few of input.
    frugal: [{ key: 'user:USER', tokens: 1299, per: '1d' }],
    // Input is free, and each token of output costs 1.
    poor: [{ key: 'user:USER', cost: 1099, per: 'month', timeZone: 'Europe/Berlin' }],
    streaming: [{ key: 'user:USER', tokens: 300, per: '1d' }],
    killed: [
      { key: 'user:USER', concurrent: 3 },
      { key: 'user:USER', tokens: 10_000, per: '1d' },
    ],
  } as const
  let server: RedisServer
  let provider: Provider
  let apps: AppProcess[]
  let onCall: (call: Call) => unknown = () => {}
  before(async () => {
    server = await startRedis()
    cleaning.push(server.stop)
    provider = await startProvider(owner, { onCall: (call) => void onCall(call) })
    apps = await Promise.all((['ioredis', 'redis', 'ioredis'] as const).map((client) => start(owner, client, 30_000)))
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  const start = (t: Owner, client: ClientName, leaseMs: number) =>
    startProcess(t, { redisPort: server.port, target: provider.url, client, limits, leaseMs })
  const ask = (app: AppProcess, user: string, body: object = plain) =>
    post(app.url + at, body, { headers: { 'x-user': user } })

  for (const [what, name] of [
    ['places', 'few'],
    ['tokens', 'frugal'],
    ['money', 'poor'],
  ] as const) {
    test(`of 64 requests at once exactly 10 pass, if there is room for 10: ${what}`, async () => {
      for (let round = 0; round < 34; round++) {
        const calls: Call[] = []
        const statuses: number[] = []
        let decide = () => {}
        const decided = new Promise<void>((resolve) => {
          decide = () => calls.length + statuses.length >= 64 && resolve()
        })
        onCall = (call) => {
          calls.push(call)
          decide()
        }
        const requests = Array.from({ length: 64 }, async (_, index) => {
          const response = await ask(apps[index % apps.length]!, `${name}-${round}`, { ...plain, max_tokens: 100 })
          statuses.push(response.status)
          decide()
          await response.arrayBuffer()
        })
        await within(decided, 'all requests to be refused or to reach the provider')
        assert.deepEqual([calls.length, statuses.length], [10, 54], `round ${round}`)
        for (const call of calls) call.json(200, answer)
        await Promise.all(requests)
        assert.deepEqual(
          [200, 429].map((status) => statuses.filter((each) => each === status).length),
          [10, 54],
        )
      }
    })
  }

  test("streams under 'cut' pass no more than is left, and one event each, if the store has answered", async (t) => {
    const calls: Call[] = []
    onCall = (call) => calls.push(call.sse())
    const streams = await Promise.all(
      Array.from({ length: 9 }, async (_, index) => {
        const url = apps[index % apps.length]!.url.replace('/ai', '/cut')
        return new Events(await post(url + at, request, { headers: { 'x-user': 'streaming' } }))
      }),
    )
    const allAnswered = async () => {
      // It asks for twice as much, then for the rest.
      for (let asked = 0; asked < 3; asked++) {
        await Promise.all(apps.map(async ({ url }) => (await fetch(url.replace('/ai', '/answered'))).text()))
      }
    }
    let running = streams
    const passed = new Map(streams.map((stream) => [stream, 0]))
    for (let round = 0; running.length > 0 && round < 300; round++) {
      for (const call of calls) call.send(`data: ${WORD}\n\n`)
      const left = await Promise.all(
        running.map(async (stream) => {
          const event = await stream.next()
          if (event?.includes('quota_exceeded')) return []
          passed.set(stream, passed.get(stream)! + 1)
          return [stream]
        }),
      )
      running = left.flat()
      await allAnswered()
    }
    assert.deepEqual(running, [])
    const store = redisStore({ client: await clients.ioredis(t, server.port) })
    const state = async () => (await store.read('user:streaming', 'streaming'))[0]!
    await eventually(async () => (await state()).held === 0, 'all to be settled')
    const { current } = await state()
    const words = [...passed.values()].reduce((sum, count) => sum + count, 0)
    assert.equal(current, words, 'each word is a token')
    assert.ok(current >= 300 && current <= 300 + streams.length, `${current} of 300`)
  })

  test('what a killed process held is free again, and what was settled stays', async (t) => {
    const first = await start(t, 'ioredis', 2000)
    const second = apps[1]!
    const store = redisStore({ client: await clients.ioredis(t, server.port) })
    const states = async () => {
      const all = await store.read('user:killed', 'killed')
      return Object.fromEntries(all.map(({ name, current, held }) => [name, { current, held }]))
    }
    onCall = (call) => call.json(200, answer)
    assert.equal((await ask(first, 'killed')).status, 200)
    await eventually(async () => (await states())['tokens:1d']?.held === 0, 'the first answer to be settled')

    onCall = (call) => call.sse(['data: {"choices":[]}\n\n'])
    const streams = await Promise.all([1, 2, 3].map(() => ask(first, 'killed', { ...request, max_tokens: 100 })))
    for (const stream of streams) assert.ok(await new Events(stream).next())
    const admin = (await clients.ioredis(t, server.port)) as Redis
    const [seconds] = await admin.time()
    const renewed = `${(Number(seconds) + 1) * 1000 + 2000}`
    await eventually(
      async () => (await admin.zcount('ai-quota:{all}leases:user:killed', renewed, '+inf')) === 3,
      'the leases to be renewed',
    )
    assert.equal((await ask(second, 'killed')).status, 429)
    const held = await states()
    assert.equal(held.concurrent?.held, 3)
    assert.ok(held['tokens:1d']!.held > 300)

    const gone = once(first.child, 'exit')
    first.child.kill('SIGKILL')
    await gone
    onCall = (call) => call.json(200, answer)
    await eventually(async () => {
      const response = await ask(second, 'killed')
      await response.arrayBuffer()
      return response.status === 200
    }, 'a place to be free')
    await eventually(async () => (await states())['tokens:1d']?.held === 0, 'all leases to end')
    assert.deepEqual(await states(), { concurrent: { current: 0, held: 0 }, 'tokens:1d': { current: 100, held: 0 } })
  })
})

/** An app in this process, on a Redis at a port. */
async function started(t: TestContext, client: RedisClient, options: Partial<QuotaOptions> = {}) {
  const warnings = t.mock.method(process, 'emitWarning', () => {})
  const policy = quota({
    store: redisStore({ client }),
    limits: [{ key, requests: 1_000_000, tokens: 1_000_000_000, per: 'month' }],
    countInput: () => 10,
    assumedOutput: 10,
    ...options,
  })
  const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
  const app = await startApp(t, { target: provider.url, identify: () => 'ada', policies: [policy] })
  const ask = async () => {
    const response = await post(app.url + at, plain)
    await response.arrayBuffer()
    return response.status
  }
  const used = async (kind: string) => (await policy.status(key)).find((limit) => limit.kind === kind)?.used
  return { policy, provider, app, ask, used, warnings }
}

for (const name of clientNames) {
  describe(`a Redis that fails, with the client ${name}`, { skip: withoutRedis }, () => {
    async function redis(t: TestContext, args: readonly string[] = []): Promise<RedisServer> {
      const server = await startRedis(args)
      t.after(server.stop)
      return server
    }

    test('is killed and started again under load: requests pass meanwhile, and each is counted once', async (t) => {
      // It remembers what it has answered.
      const server = await redis(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
      const { ask, used, policy, warnings } = await started(t, await clients[name](t, server.port), {
        leaseMs: 600,
        storeTimeoutMs: 500,
      })
      let isOver = false
      let passed = 0
      const worker = async () => {
        while (!isOver) {
          assert.equal(await ask(), 200)
          passed++
        }
      }
      const workers = Promise.all(Array.from({ length: 8 }, worker))
      await until(() => passed > 50, 'requests have passed')
      await server.kill()
      await until(() => policy.stats().isStoreDown, 'the failure is noticed')
      const before = passed
      await until(() => passed > before + 50, 'requests pass while it is away')
      assert.ok(policy.stats().pending > 0)
      await server.restart()
      await until(
        () => !policy.stats().isStoreDown && policy.stats().pending === 0,
        'it is told what it has missed',
        20_000,
      )
      const back = passed
      await until(() => passed > back + 50, 'requests pass after that')
      isOver = true
      await workers
      await until(() => policy.stats().running === 0 && policy.stats().pending === 0, 'all is settled')
      await eventually(async () => (await used('tokens')) === passed * 50, 'all tokens to be counted')
      assert.deepEqual([await used('requests'), policy.stats().lost], [passed, 0])
      const told = warnings.mock.calls.filter(({ arguments: [, details] }) =>
        JSON.stringify(details).includes('QUOTA_STORE'),
      )
      assert.equal(told.length, 1)
    })

    test('has no memory left: it takes nothing of a request, and is told later', async (t) => {
      const server = await redis(t, ['--maxmemory', '100kb', '--maxmemory-policy', 'noeviction'])
      const { ask, used, policy } = await started(t, await clients[name](t, server.port), { leaseMs: 600 })
      assert.equal(await ask(), 200)
      await until(() => policy.stats().pending === 1, 'the settlement waits')
      const admin = (await clients.ioredis(t, server.port)) as Redis
      assert.deepEqual(await admin.keys('*'), [])
      await admin.config('SET', 'maxmemory', '0')
      await until(() => policy.stats().pending === 0, 'everything has been written', 20_000)
      assert.deepEqual([await used('requests'), await used('tokens'), policy.stats().lost], [1, 50, 0])
    })

    test("has no memory left: 'closed' refuses", async (t) => {
      const server = await redis(t, ['--maxmemory', '100kb', '--maxmemory-policy', 'noeviction'])
      const { ask, provider, app } = await started(t, await clients[name](t, server.port), { whenStoreFails: 'closed' })
      assert.deepEqual([await ask(), provider.calls.length], [503, 0])
      assert.equal((await app.record()).code, 'quota_unavailable')
    })

    test('answers 300 ms late: requests wait and pass, with one script before and one after', async (t) => {
      const server = await redis(t)
      const link = await slowRedis(server.port, 300)
      t.after(link.close)
      const { ask, policy, used } = await started(t, await clients[name](t, link.port), { storeTimeoutMs: 10_000 })
      // The server learns the scripts.
      assert.equal(await ask(), 200)
      await until(() => link.commands.filter((command) => command === 'EVAL').length === 2, 'it is settled')
      const before = link.commands.length
      assert.deepEqual(await Promise.all(Array.from({ length: 16 }, ask)), Array(16).fill(200))
      await until(() => link.commands.length >= before + 32, 'all are settled')
      assert.deepEqual(link.commands.slice(before), Array(32).fill('EVALSHA'))
      assert.deepEqual([policy.stats().storeFailures, await used('requests'), await used('tokens')], [0, 17, 17 * 50])
    })

    test('answers later than the store may take: each request is counted once', async (t) => {
      const server = await redis(t)
      const link = await slowRedis(server.port, 300)
      t.after(link.close)
      const { ask, policy } = await started(t, await clients[name](t, link.port), {
        storeTimeoutMs: 100,
        leaseMs: 3000,
      })
      assert.equal(await ask(), 200)
      assert.deepEqual([policy.stats().isStoreDown, policy.stats().pending], [true, 1])
      const store = redisStore({ client: await clients.ioredis(t, server.port) })
      const counted = async () => {
        const states = await store.read(key, 'ada')
        return Object.fromEntries(states.map(({ name, current, held }) => [name, [current, held]]))
      }
      await eventually(async () => (await counted())['tokens:month@UTC']?.[0] === 50, 'it to be told')
      assert.deepEqual(await counted(), { 'requests:month@UTC': [1, 0], 'tokens:month@UTC': [50, 0] })
    })
  })
}

describe('a server that is no Redis', { skip: withoutRedis }, () => {
  const whole = (...values: string[]) =>
    `*${values.length}\r\n${values.map((value) => `$${value.length}\r\n${value}\r\n`).join('')}`
  for (const [what, text] of [
    ['OK', '+OK\r\n'],
    ['a number', ':1\r\n'],
    ['nothing', '$-1\r\n'],
    ['an empty list', '*0\r\n'],
    ['a list that is too short', whole('1', '1700000000000')],
    ['words', whole('1', '1700000000000', ...Array(8).fill('many'))],
    ['fractions', whole('1', '1700000000000', ...Array(8).fill('0.5'))],
    ['huge numbers', whole('1', '1700000000000', ...Array(8).fill('99999999999999999999'))],
    ['no decision', whole('7', '1700000000000', ...Array(8).fill('0'))],
    ['an error', '-ERR no scripts here\r\n'],
    ['what is no protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['no answer', undefined],
  ] as const) {
    test(`${what}: the request is refused under 'closed', and passes under 'local'`, async (t) => {
      const link: RedisLink = await fakeRedis(text)
      t.after(link.close)
      const client = new Redis({ port: link.port, host: '127.0.0.1', enableReadyCheck: false, disableClientInfo: true })
      client.on('error', () => {})
      t.after(() => client.disconnect())
      const closed = await started(t, client, { whenStoreFails: 'closed', storeTimeoutMs: 200 })
      assert.equal(await closed.ask(), 503)
      assert.deepEqual([closed.policy.stats().storeFailures, closed.policy.stats().running], [1, 0])
      const local = await started(t, client, { storeTimeoutMs: 200 })
      assert.equal(await local.ask(), 200)
      assert.equal(local.policy.stats().isStoreDown, true)
    })
  }
})
