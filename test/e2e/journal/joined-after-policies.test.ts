import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions, ExchangeRecord, Policy } from '../../../lib/index.js'
import { queue } from '../../../lib/queue.js'
import { quota } from '../../../lib/quota.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { until } from '../support/waiting.js'
import { changedJournal } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]

/** Lets the first requests pass together, so that none of them finds another that leads. */
function together(count: number): Policy {
  let admitted = 0
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  return {
    name: 'together',
    admit: async () => {
      if (++admitted === count) open()
      await gate
    },
  }
}

async function started(t: TestContext, policies: readonly Policy[], hasTargets = false) {
  t.mock.method(process, 'emitWarning', () => {})
  const provider = await startProvider(t)
  const { journal, watched } = changedJournal()
  /** Whose requests are about to go to the provider. */
  const leading: unknown[] = []
  const app = await startApp(t, {
    ...(hasTargets ? { targets: [{ name: 'a', target: provider.url, maxConcurrent: 2 }] } : { target: provider.url }),
    identify: (req: { headers: Record<string, unknown> }) => String(req.headers['x-user']),
    cache: { journal, ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    policies,
    observers: [{ onRequest: ({ subject }) => void leading.push(subject) }],
  } as AiProxyOptions)
  const ask = (user: string, body: object = request, signal?: AbortSignal) =>
    post(app.url + path, body, { headers: { 'x-user': user }, ...(signal && { signal }) })
  return { provider, app, watched, ask, leading }
}

/** Reads the first event of each; tells who leads from who follows. */
async function read(asked: readonly Promise<Response>[]) {
  const answers = await Promise.all(asked)
  const readers = answers.map((answer) => new Events(answer))
  for (const reader of readers) assert.equal(await reader.next(), events[0])
  const hows = answers.map(({ headers }) => headers.get('x-cache'))
  const leader = hows.indexOf('miss')
  assert.deepEqual(
    hows.filter((_, at) => at !== leader),
    hows.slice(1).map(() => 'join'),
  )
  return { readers, leader }
}

describe('a request that joins another after policies have admitted it', () => {
  test('is charged nothing, and holds nothing while the answer goes out', async (t) => {
    const policy = quota({
      limits: ({ subject }) => [
        { key: subject.id, requests: 5, per: '1h' },
        { key: subject.id, tokens: 10_000, per: '1h' },
        { key: subject.id, concurrent: 5 },
      ],
    })
    const { provider, app, ask } = await started(t, [together(3), policy])
    const users = ['ada', 'bob', 'eve']
    const asked = users.map((user) => ask(user))
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const { readers, leader } = await read(asked)
    const usedBy = async (user: string) => (await policy.status(user)).map(({ used }) => used)
    const followers = users.filter((_, at) => at !== leader)
    for (const user of followers) assert.deepEqual(await usedBy(user), [0, 0, 0])
    const [requests, tokens, concurrent] = await usedBy(users[leader]!)
    assert.deepEqual([requests, concurrent, policy.stats().running], [1, 1, 1])
    assert.ok(tokens! > 0)
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    for (const reader of readers) assert.deepEqual(await reader.rest(), all.slice(1))
    for (const _ of users) await app.record()
    for (const user of followers) assert.deepEqual(await usedBy(user), [0, 0, 0])
    assert.equal((await usedBy(users[leader]!))[0], 1)
    assert.deepEqual([provider.calls.length, policy.stats().running], [1, 0])
  })

  test('is charged nothing if its client leaves before the answer begins', async (t) => {
    const policy = quota({ limits: ({ subject }) => [{ key: subject.id, requests: 5, per: '1h' }] })
    const { provider, app, ask, leading } = await started(t, [together(2), policy])
    const leaves = { ada: new AbortController(), bob: new AbortController() }
    const asked = [ask('ada', request, leaves.ada.signal), ask('bob', request, leaves.bob.signal)]
    for (const each of asked) each.catch(() => {})
    const call = await provider.next()
    const follower = leading[0] === 'ada' ? 'bob' : 'ada'
    leaves[follower].abort()
    const { cache, outcome, subject } = await app.record()
    assert.deepEqual([cache, outcome, subject], ['join', 'client_disconnect', follower])
    assert.deepEqual(
      (await policy.status(subject!)).map(({ used }) => used),
      [0],
    )
    call.sse(events).end(terminator)
  })

  for (const [where, options, hasTargets] of [
    ['a queue', { maxConcurrent: 2 }, false],
    ['a target', {}, true],
  ] as const) {
    test(`takes no place of ${where} from others while the answer goes out`, async (t) => {
      const policy = queue(options)
      const { provider, ask } = await started(t, [together(2), policy], hasTargets)
      const asked = [ask('ada'), ask('bob')]
      const call = await provider.next()
      call.sse(events.slice(0, 1))
      const { readers } = await read(asked)
      const other = ask('eve', { ...request, model: 'another' })
      const second = await provider.next()
      assert.equal(policy.stats().waiting, 0)
      for (const event of events.slice(1)) call.send(event)
      call.end(terminator)
      second.sse(events).end(terminator)
      for (const reader of readers) assert.deepEqual(await reader.rest(), all.slice(1))
      assert.deepEqual(await new Events(await other).rest(), all)
    })
  }

  test('is settled once, when the answer begins, and its record is told at its end', async (t) => {
    const settled: ExchangeRecord[] = []
    const { provider, app, ask } = await started(t, [{ ...together(2), settle: (record) => void settled.push(record) }])
    const asked = [ask('ada'), ask('bob')]
    const call = await provider.next()
    assert.equal(settled.length, 0)
    call.sse(events.slice(0, 1))
    const { readers, leader } = await read(asked)
    assert.deepEqual(
      settled.map(({ cache, outcome, subject, usage }) => [cache, outcome, subject, usage]),
      [['join', 'completed', ['bob', 'ada'][leader], undefined]],
    )
    app.proxy.abort(settled[0]!.id)
    const { id, cache, outcome } = await app.record()
    assert.deepEqual([id, cache, outcome], [settled[0]!.id, 'join', 'rejected'])
    call.end(terminator)
    await readers[leader]!.rest()
    await app.record()
    assert.deepEqual(
      settled.map((record) => record.cache),
      ['join', 'miss'],
    )
  })

  test('keeps what it holds as long as it may have to ask the provider itself', async (t) => {
    const settled: ExchangeRecord[] = []
    const policy = { ...together(2), settle: (record: ExchangeRecord) => void settled.push(record) }
    const { provider, app, ask } = await started(t, [policy])
    const asked = [ask('ada'), ask('bob')]
    const first = await provider.next()
    app.proxy.abort(app.proxy.exchanges().find(({ phase }) => phase === 'waiting')!.id)
    await first.gone
    const second = await provider.next()
    assert.equal(settled.length, 1)
    second.sse(events).end(terminator)
    for (const each of asked) await (await each).text()
    for (const _ of asked) await app.record()
    assert.deepEqual(
      settled.map(({ cache, outcome }) => [cache, outcome]),
      [
        ['miss', 'rejected'],
        ['miss', 'completed'],
      ],
    )
  })
})

test('a request that followed another to no answer is charged if its client leaves while a policy lets it wait', async (t) => {
  const policy = quota({ limits: ({ subject }) => [{ key: subject.id, requests: 5, per: '1h' }] })
  let isWaiting = false
  const wait: Policy = {
    name: 'wait',
    admit: async ({ subject, signal }) => {
      if (subject?.id !== 'bob') return
      isWaiting = true
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  }
  const { provider, app, watched, ask } = await started(t, [policy, wait])
  const leading = ask('ada')
  const call = await provider.next()
  const leave = new AbortController()
  const following = ask('bob', request, leave.signal)
  following.catch(() => {})
  await until(() => watched.now === 1, 'the second follows the first')
  app.proxy.abort(app.proxy.exchanges().find(({ subject }) => subject === 'ada')!.id)
  await call.gone
  await (await leading).text()
  await app.record()
  await until(() => isWaiting, 'the second waits')
  leave.abort()
  const { cache, outcome } = await app.record()
  assert.deepEqual([cache, outcome], [undefined, 'client_disconnect'])
  assert.equal((await policy.status('bob'))[0]?.used, 1)
})
