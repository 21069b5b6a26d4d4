import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import type { AiProxyOptions, AnyFailureCode, Outcome, Policy } from '../../lib/index.js'
import { queue } from '../../lib/queue.js'
import { quota } from '../../lib/quota.js'
import { type App, startApp } from './support/app.js'
import { connect, type RawClient } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { startSilentTls } from './support/silent-tls.js'
import { until } from './support/waiting.js'
import { type Seen, setups, type Way, ways } from './support/ways-to-end.js'

const SHUT_DOWN = 30
const ROUNDS = Math.ceil((1000 - SHUT_DOWN) / Object.keys(ways).length)

type End = readonly [Outcome, AnyFailureCode | undefined]

/** Apps in all the set-ups, and a crowd of clients that ask them things. */
class Crowd {
  readonly apps = new Map<string, App>()
  readonly calls = new Map<string, Call>()
  readonly connections: Socket[] = []
  readonly expected = new Map<string, End>()
  readonly ended = new Map<string, End[]>()
  readonly #owner: Owner
  readonly #policies: readonly Policy[]

  constructor(owner: Owner, policies: readonly Policy[] = []) {
    this.#owner = owner
    this.#policies = policies
  }

  async start(): Promise<void> {
    const provider = await startProvider(this.#owner, {
      onCall: (call) => {
        const id = String(call.headers['x-request-id'])
        this.calls.set(id, call)
        ways[id.replace(/ #.*$/, '')]?.act?.(call)
      },
    })
    const silent = await startSilentTls(this.#owner)
    const onFinish: AiProxyOptions['onFinish'] = ({ outcome, code }, { req }) => {
      const id = String(req.headers['x-request-id'])
      this.ended.set(id, [...(this.ended.get(id) ?? []), [outcome, code]])
    }
    for (const [name, options] of Object.entries(setups)) {
      const target = name === 'speechless' ? silent.url : provider.url
      this.apps.set(name, await startApp(this.#owner, { target, ...options, policies: this.#policies, onFinish }))
    }
    Object.assign(this, { connections: provider.connections })
  }

  app(name = 'plain'): App {
    return this.apps.get(name)!
  }

  /** A client that asks, and has its request known by `id`: in a header, and as the model. */
  async ask(id: string, end: End, { app, ask }: Pick<Way, 'app' | 'ask'> = {}): Promise<RawClient> {
    this.expected.set(id, end)
    const client = await connect(this.#owner, this.app(app).port)
    const headers = { 'x-request-id': id, connection: 'close' }
    if (ask) ask(client, headers)
    else {
      const body = JSON.stringify({ ...openai.request, model: id })
      client.request('POST', `/ai${openai.path}`, { ...headers, 'content-type': 'application/json' }, body)
    }
    return client
  }

  seen(id: string, app?: string): Seen {
    return {
      phase: () =>
        this.app(app)
          .proxy.exchanges()
          .find(({ model }) => model === id)?.phase,
      call: () => this.calls.get(id)!,
    }
  }

  async goes(name: string, way: Way, round: number): Promise<void> {
    const id = `${name} #${round}`
    const client = await this.ask(id, [way.ends, way.code], way)
    await way.finish(client, this.seen(id, way.app))
    await until(() => this.ended.has(id), `there is a record of ${id}`)
    client.leave()
  }
}

describe('1,000 exchanges that end in every possible way', () => {
  test('leave nothing behind, and produce one record each', { timeout: 120_000 }, async (t) => {
    const cleanUps: (() => unknown)[] = []
    const cleanUp = async () => {
      for (const run of cleanUps.splice(0)) await run()
    }
    t.after(cleanUp)
    const before = { resources: resources(), listeners: listenersOf(process) }

    const crowd = new Crowd({ after: (run) => void cleanUps.push(run as () => unknown) })
    await crowd.start()
    const holder = await crowd.ask('holds its place', ['client_disconnect', undefined], { app: 'full' })
    await until(() => crowd.app('full').proxy.stats().streams === 1, 'the one place is taken')
    for (let round = 0; round < ROUNDS; round += 8) {
      const some = Array.from({ length: Math.min(8, ROUNDS - round) }, (_, at) => round + at)
      const all = some.flatMap((at) => Object.entries(ways).map(([name, way]) => crowd.goes(name, way, at)))
      await Promise.all(all)
    }
    holder.leave()
    await until(() => crowd.ended.has('holds its place'), 'that one is over, too')

    const shutdown = ['shutdown', 'shutting_down'] as const
    const running: RawClient[] = []
    for (let n = 0; n < SHUT_DOWN; n++) running.push(await crowd.ask(`is shut down #${n}`, shutdown))
    const { proxy } = crowd.app()
    await until(
      () => proxy.exchanges().filter(({ phase }) => phase === 'waiting').length === SHUT_DOWN,
      'they all wait',
    )
    await proxy.close({ graceMs: 1 })
    await crowd.ask('comes too late', shutdown).then((client) => client.sees('HTTP/1.1 503'))
    await until(() => crowd.ended.has('comes too late'), 'that one is over, too')

    assert.ok(crowd.expected.size >= 1000)
    assert.equal(crowd.ended.size, crowd.expected.size)
    for (const [id, end] of crowd.expected) assert.deepEqual(crowd.ended.get(id), [end], id)
    for (const [name, app] of crowd.apps) assertAddsUp(name, app)

    for (const app of crowd.apps.values()) await app.proxy.close()
    await until(() => crowd.connections.every((socket) => socket.destroyed), 'no connection to the provider is left')
    await cleanUp()
    // What is being closed needs some rounds of the event loop; what leaks stays.
    await until(() => Object.keys(more(before.resources)).length === 0, '').catch(() => {})
    assert.deepEqual(more(before.resources), {})
    assert.deepEqual(listenersOf(process), before.listeners)
  })
})

test('exchanges that end in every possible way give back what policies hold for them', {
  timeout: 120_000,
}, async (t) => {
  const limits = [
    { key: 'all', concurrent: 1e6, requests: 1e6, per: '1d' },
    { key: 'all', tokens: 1e12, per: 'month' },
  ] as const
  const [counting, waiting] = [quota({ limits }), queue({ maxConcurrent: 1e6 })]
  const crowd = new Crowd(t, [counting, waiting])
  await crowd.start()
  // Policies see JSON alone at these endpoints.
  const seen = Object.entries(ways).filter(([, { ask }]) => !String(ask).includes('multipart'))
  assert.ok(seen.length >= 30, `${seen.length} ways`)
  const holder = await crowd.ask('holds its place', ['client_disconnect', undefined], { app: 'full' })
  await until(() => crowd.app('full').proxy.stats().streams === 1, 'the one place is taken')
  for (let round = 0; round < 4; round++) {
    await Promise.all(seen.map(([name, way]) => crowd.goes(name, way, round)))
  }
  assert.ok(((await counting.status('all')).find(({ kind }) => kind === 'requests')?.used ?? 0) > 50)
  holder.leave()
  await until(() => crowd.ended.has('holds its place'), 'that one is over, too')
  for (const [id, end] of crowd.expected) assert.deepEqual(crowd.ended.get(id), [end], id)
  for (const app of crowd.apps.values()) await app.proxy.close()
  const { running, waiting: queued } = waiting.stats()
  assert.deepEqual([counting.stats().running, running, queued], [0, 0, 0])
  const [concurrent] = (await counting.status('all')).filter(({ kind }) => kind === 'concurrent')
  assert.equal(concurrent?.used, 0, 'every lease was given back')
})

describe('reused connections', () => {
  test('accumulate no listeners, downstream or upstream', async (t) => {
    const provider = await startProvider(t, {
      onCall: (call) => {
        if (call.url.includes('json')) call.json(200, {})
        else call.sse(['data: 1\n\n']).end('data: [DONE]\n\n')
      },
    })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const app = await startApp(t, { target: provider.url, proxy: { agent } })
    const downstream: Socket[] = []
    app.server.on('connection', (socket: Socket) => downstream.push(socket))
    const client = await connect(t, app.port)
    const round = async () => {
      client.post(`/ai${openai.path}?json`, { model: 'm' })
      await client.sees('{}')
      await app.record()
      client.post(`/ai${openai.path}`, openai.request)
      await client.sees('\r\n0\r\n\r\n')
      await app.record()
      client.request('GET', '/ai/v1/files')
      await client.sees('endpoint_not_allowed')
      await app.record()
      await until(() => Object.keys(agent.freeSockets).length === 1, 'the upstream connection is free')
      const upstream = Object.values(agent.freeSockets)[0]![0]!
      return [downstream[0]!, upstream, app.server, agent].map(listenersOf)
    }
    await round()
    const before = await round()
    for (let n = 0; n < 20; n++) await round()
    assert.deepEqual(await round(), before)
    assert.equal(downstream.length, 1)
    assert.equal(provider.connections.length, 1)
  })
})

/** What keeps the event loop alive, counted by its kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    // The event loop's own, which this test's waiting uses as well.
    if (kind !== 'Immediate' && kind !== 'TickObject') counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** The kinds of which there are more now. */
function more(before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(resources()).filter(([kind, count]) => count > (before[kind] ?? 0)))
}

function listenersOf(emitter: EventEmitter): Record<string, number> {
  return Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]))
}

function assertAddsUp(name: string, { proxy, records }: App): void {
  assert.deepEqual(proxy.exchanges(), [], name)
  const stats = proxy.stats()
  const { active, streams, waitingForDrain, waitingForTurn } = stats
  assert.deepEqual([active, streams, waitingForDrain, waitingForTurn], [0, 0, 0, 0], name)
  assert.equal(stats.exchanges, records.length)
  const counted = Object.values(stats.outcomes).reduce((sum, count) => sum + count)
  assert.equal(counted, records.length, name)
  for (const [outcome, count] of Object.entries(stats.outcomes)) {
    assert.equal(records.filter((record) => record.outcome === outcome).length, count, `${name}: ${outcome}`)
  }
  for (const [limit, count] of Object.entries(stats.limits)) {
    assert.equal(records.filter((record) => record.limit === limit).length, count, `${name}: ${limit}`)
  }
  for (const field of ['requestBytes', 'upstreamBytes', 'downstreamBytes', 'events', 'turns'] as const) {
    const sum = records.reduce((total, record) => total + record[field], 0)
    assert.equal(stats[field], sum, `${name}: ${field}`)
  }
}
