import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions, ExchangeRecord, Policy } from '../../../lib/index.js'
import { memoryStore, type Quota, type QuotaOptions, type QuotaStore, quota } from '../../../lib/quota.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { type Call, startProvider } from '../support/provider.js'
import { streams } from '../support/streams.js'

const { frames, path, request: asking } = streams.chat
const request = { ...asking, temperature: 0 }

/** A quota that charges an answer of another a tenth of what it has. */
function tenth(change: Partial<QuotaOptions> = {}): Quota {
  return quota({
    limits: ({ subject }) => [
      { key: subject.id, requests: 10, per: '1h' },
      { key: subject.id, tokens: 10_000, per: '1h' },
      { key: subject.id, cost: 10, per: '1h' },
      { key: subject.id, concurrent: 5 },
    ],
    charge: ({ cache }, { tokens }) =>
      cache === 'hit' || cache === 'join' ? { tokens: Math.ceil((tokens?.total ?? 0) / 10), cost: 0.5 } : undefined,
    ...change,
  })
}

const answer = (call: Call) => call.sse(frames.map(String)).end()

async function started(
  t: TestContext,
  policies: readonly Policy[],
  onCall?: (call: Call) => void,
  change: Partial<AiProxyOptions> = {},
) {
  const provider = await startProvider(t, { ...(onCall && { onCall }) })
  const app = await startApp(t, {
    target: provider.url,
    identify: (req: { headers: Record<string, unknown> }) => String(req.headers['x-user']),
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    prices: () => 0,
    policies,
    ...change,
  } as AiProxyOptions)
  const ask = (user: string) => post(app.url + path, request, { headers: { 'x-user': user } })
  return { provider, app, ask }
}

const usedBy = async (policy: Quota, user: string) => (await policy.status(user)).map(({ used }) => used)

describe('an answer from the cache, or of another request', () => {
  test('is charged what `charge` says, and counts as no request', async (t) => {
    const policy = tenth()
    const { provider, app, ask } = await started(t, [policy])
    const leading = ask('ada')
    const call = await provider.next()
    call.sse(frames.slice(0, 1).map(String))
    const leader = new Events(await leading)
    await leader.next()
    const joined = await ask('bob')
    assert.equal(joined.headers.get('x-cache'), 'join')
    for (const frame of frames.slice(1)) call.send(String(frame))
    call.end()
    assert.equal(await joined.text(), String(Buffer.concat(frames)))
    await leader.rest()
    const records = [await app.record(), await app.record()]
    const total = records.find(({ cache }) => cache === 'miss')!.tokens!.total
    const hit = await ask('eve')
    assert.equal(hit.headers.get('x-cache'), 'hit')
    await hit.text()
    await app.record()
    for (const user of ['bob', 'eve']) {
      assert.deepEqual(await usedBy(policy, user), [Math.ceil(total / 10), 0.5])
    }
    assert.deepEqual((await usedBy(policy, 'ada')).slice(0, 2), [1, total])
    assert.equal(policy.stats().running, 0)
  })

  test('is charged once if it was admitted before it joined', async (t) => {
    let admitted = 0
    let open = () => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    const together: Policy = {
      name: 'together',
      admit: async () => {
        if (++admitted === 2) open()
        await gate
      },
    }
    const policy = tenth()
    const { provider, app, ask } = await started(t, [together, policy])
    const asked = [ask('ada'), ask('bob')]
    const call = await provider.next()
    call.sse(frames.map(String)).end()
    for (const answer of await Promise.all(asked)) await answer.text()
    const records = [await app.record(), await app.record()]
    const { subject, tokens } = records.find(({ cache }) => cache === 'join')!
    const used = (await policy.status(subject!)).map(({ kind, used }) => [kind, used])
    assert.deepEqual(used, [
      ['requests', 0],
      ['tokens', Math.ceil(tokens!.total / 10)],
      ['cost', 0.5],
      ['concurrent', 0],
    ])
  })

  test('is charged nothing without `charge`, or if that says nothing or goes by usage', async (t) => {
    const weighs: QuotaOptions['charge'] = ({ tokens }) => tokens && { tokens: tokens.total / 2 }
    for (const change of [{ charge: () => undefined }, { charge: undefined as never }, { charge: weighs }]) {
      const policy = tenth(change)
      const { app, ask } = await started(t, [policy], answer)
      for (const user of ['ada', 'eve']) await (await ask(user)).text()
      await app.record()
      assert.equal((await app.record()).cache, 'hit')
      assert.deepEqual(await usedBy(policy, 'eve'), [])
    }
  })

  test('is told to policies once, at its end; they neither admit it nor watch it', async (t) => {
    const told: string[] = []
    const shared: ExchangeRecord[] = []
    const errors: string[] = []
    const policy: Policy = {
      name: 'telling',
      admit: ({ subject }) => void told.push(`admit ${subject?.id}`),
      progress: ({ subject }) => void told.push(`progress ${subject?.id}`) as undefined,
      settle: (_, { subject }) => void told.push(`settle ${subject?.id}`),
      settleShared: (record, { subject, generates, requestBytes }) => {
        told.push(`settleShared ${subject?.id} ${generates} ${requestBytes > 0}`)
        shared.push(record)
        throw new Error('not counted')
      },
    }
    const { app, ask } = await started(t, [policy], answer, {
      onError: (error) => void errors.push((error as Error).message),
      labels: () => ({ of: 'the app' }),
    })
    await (await ask('ada')).text()
    const { tokens } = await app.record()
    told.length = 0
    await (await ask('eve')).text()
    const record = await app.record()
    assert.deepEqual(told, ['settleShared eve true true'])
    assert.deepEqual(errors, ['not counted'])
    assert.deepEqual([record.cache, record.tokens, record.labels], ['hit', tokens, { of: 'the app' }])
    assert.deepEqual(shared, [{ ...record, usage: undefined, tokens: undefined }])
  })

  test('has the price of its model at the target that may have written it', async (t) => {
    const errors: unknown[] = []
    const policy = quota({
      limits: ({ subject }) => [{ key: subject.id, cost: 1000, per: '1h' }],
      charge: ({ cache }, exchange) => (cache === 'hit' ? { cost: exchange.price(exchange.tokens!)! } : undefined),
    })
    const provider = await startProvider(t, { onCall: answer })
    const { app, ask } = await started(t, [policy], undefined, {
      target: undefined,
      targets: [{ name: 'only', target: provider.url, models: { [String(asking.model)]: 'priced' } }],
      prices: { priced: { input: 1e4, output: 1e5 } },
      onError: (error) => void errors.push(error),
    })
    for (const user of ['ada', 'eve']) await (await ask(user)).text()
    const { cost } = await app.record()
    assert.equal((await app.record()).cache, 'hit')
    assert.deepEqual(errors, [])
    assert.ok(cost! > 0)
    assert.deepEqual([await usedBy(policy, 'ada'), await usedBy(policy, 'eve')], [[cost], [cost]])
  })

  test('counts in this process while the store is away, which is told later', async (t) => {
    t.mock.method(process, 'emitWarning', () => {})
    const kept = memoryStore()
    let isAway = false
    const reachable = () => {
      if (isAway) throw new Error('away')
      return kept
    }
    const store: QuotaStore = {
      reserve: (...given) => reachable().reserve(...given),
      settle: (...given) => reachable().settle(...given),
      renew: (...given) => reachable().renew(...given),
      read: (...given) => reachable().read(...given),
      reset: (...given) => reachable().reset(...given),
    }
    const policy = quota({
      store,
      limits: ({ subject }) => [{ key: subject.id, tokens: 1000, per: '1h' }],
      charge: ({ cache }) => (cache === 'hit' ? { tokens: 1000 } : undefined),
      assumedOutput: 10,
    })
    const { app, ask } = await started(t, [policy], answer)
    await (await ask('ada')).text()
    isAway = true
    const other = { ...request, seed: 1 }
    const askOther = () => post(app.url + path, other, { headers: { 'x-user': 'eve' } })
    // Its reservation finds out that the store is away.
    assert.equal((await askOther()).status, 200)
    await (await ask('eve')).text()
    const records = [await app.record(), await app.record(), await app.record()]
    assert.ok(records.some(({ cache }) => cache === 'hit'))
    const refused = await post(app.url + path, { ...request, seed: 2 }, { headers: { 'x-user': 'eve' } })
    assert.equal(refused.status, 429)
    assert.equal(policy.stats().pending, 2)
  })

  test('whose limits cannot be found keeps `close` from nothing', async (t) => {
    let fail = (_: Error) => {}
    const lost = new Promise<never>((_, reject) => (fail = reject))
    const errors: string[] = []
    const policy = tenth({
      limits: ({ subject: { id } }) => (id === 'eve' ? lost : [{ key: id, tokens: 10_000, per: '1h' }]),
    })
    const { app, ask } = await started(t, [policy], answer, {
      onError: (error) => void errors.push((error as Error).message),
    })
    for (const user of ['ada', 'eve']) await (await ask(user)).text()
    assert.equal((await app.record()).cache, 'miss')
    assert.equal((await app.record()).cache, 'hit')
    const closed = policy.close!()
    fail(new Error('no database'))
    await closed
    assert.deepEqual(errors, ['no database'])
  })

  test('whose limits are never found keeps `close` waiting for ten seconds at most', async (t) => {
    const errors: string[] = []
    const policy = tenth({
      limits: ({ subject: { id } }) =>
        id === 'eve' ? new Promise<never>(() => {}) : [{ key: id, tokens: 10_000, per: '1h' }],
    })
    const { app, ask } = await started(t, [policy], answer, {
      onError: (error) => void errors.push((error as Error).message),
    })
    await (await ask('ada')).text()
    await app.record()
    t.mock.timers.enable({ apis: ['setTimeout'] })
    await (await ask('eve')).text()
    assert.equal((await app.record()).cache, 'hit')
    const closed = policy.close!()
    t.mock.timers.tick(10_000)
    await closed
    assert.deepEqual(errors, ['limits gave no answer in 10000 ms'])
  })
})
