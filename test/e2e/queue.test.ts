import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { type QueueOptions, queue } from '../../lib/queue.js'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const { path, request } = openai

async function started(t: TestContext, options: QueueOptions, given: Partial<AiProxyOptions> = {}) {
  t.mock.method(process, 'emitWarning', () => {})
  const policy = queue(options)
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    identify: (req) => ({ id: req.get('x-user') ?? 'ada' }),
    policies: [policy],
    ...given,
  })
  const ask = async (user = 'ada', at = path, body: object = request) =>
    (await connect(t, app.port)).request(
      'POST',
      `/ai${at}`,
      { 'content-type': 'application/json', 'x-user': user, connection: 'close' },
      JSON.stringify(body),
    )
  const waiting = (count: number) => until(() => policy.stats().waiting === count, `${count} wait`)
  const finish = (call: Call) => call.sse(['data: {"id":"1","choices":[]}\n\n']).end('data: [DONE]\n\n')
  return { policy, provider, app, ask, waiting, finish }
}

describe('a queue', () => {
  test('lets what has room pass at once, and the rest once something ends', async (t) => {
    const { policy, provider, app, ask, waiting, finish } = await started(t, { maxConcurrent: 1 })
    const first = await ask()
    const call = await provider.next()
    const second = await ask()
    await waiting(1)
    assert.equal(provider.calls.length, 1)
    assert.deepEqual([policy.stats().running, policy.stats().byTenant.get('ada')], [1, 1])
    finish(call)
    await first.sees('[DONE]')
    finish(await provider.next())
    await second.sees('[DONE]')
    await app.record()
    await app.record()
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })

  test('is fair among tenants: one that comes late need not wait for all of another', async (t) => {
    const { provider, ask, waiting, finish } = await started(t, { maxConcurrent: 1 }, { forwardHeaders: ['x-user'] })
    await ask('many')
    const call = await provider.next()
    for (let n = 0; n < 5; n++) {
      await ask('many')
      await waiting(n + 1)
    }
    await ask('one')
    await waiting(6)
    const order: unknown[] = []
    finish(call)
    for (let n = 0; n < 6; n++) {
      const next = await provider.next()
      order.push(next.req.headers['x-user'])
      finish(next)
    }
    assert.ok(order.indexOf('one') <= 1, order.join())
    assert.equal(order.length, 6)
  })

  test('a client that leaves is out at once, and nothing of it goes to the provider', async (t) => {
    const { policy, provider, app, ask, waiting, finish } = await started(t, { maxConcurrent: 1 })
    await ask()
    const call = await provider.next()
    const leaver = await ask('bob')
    await waiting(1)
    leaver.leave()
    await waiting(0)
    assert.equal((await app.record()).outcome, 'client_disconnect')
    finish(call)
    await app.record()
    assert.deepEqual([policy.stats().running, provider.calls.length], [0, 1])
  })

  test('lets as many wait as it has room for, and refuses the next in its protocol', async (t) => {
    const { app, provider, ask, waiting } = await started(t, { maxConcurrent: 1, maxWaiting: 1 })
    await ask()
    await provider.next()
    await ask()
    await waiting(1)
    const refused = await ask('ada', '/v1/messages', { model: 'm', max_tokens: 1, messages: [] })
    await refused.sees('503')
    await refused.sees('"type":"overloaded_error"')
    await refused.sees('"code":"queue_full"')
    assert.match(refused.text, /retry-after: 1\r\n/i)
    const record = await app.record()
    assert.deepEqual([record.code, record.outcome], ['queue_full', 'limit_exceeded'])
    const other = await ask()
    await other.sees('503')
    await other.sees('"type":"server_error","code":"queue_full"')
  })

  test('lets nothing wait longer than maxWaitMs', async (t) => {
    const { app, provider, ask, policy } = await started(t, { maxConcurrent: 1, maxWaitMs: 30 })
    await ask()
    await provider.next()
    const late = await ask()
    await late.sees('"code":"queue_timeout"')
    assert.equal((await app.record()).code, 'queue_timeout')
    assert.deepEqual(policy.stats().refused, { full: 0, timeout: 1 })
  })

  test('keeps streams open with heartbeats while they wait', async (t) => {
    const { provider, ask, waiting, finish } = await started(
      t,
      { maxConcurrent: 1 },
      { heartbeat: { everyMs: 10, beforeFirstByte: true } },
    )
    await ask()
    const call = await provider.next()
    const second = await ask()
    await waiting(1)
    await second.sees('200 OK')
    await second.sees(/:[^\n]*\n\n[\s\S]*:[^\n]*\n\n/)
    finish(call)
    finish(await provider.next())
    await second.sees('[DONE]')
  })

  test('gives its place back when the app ends what runs, and when it ends what waits', async (t) => {
    const { app, policy, provider, ask, waiting } = await started(t, { maxConcurrent: 1 })
    await ask()
    await provider.next()
    await ask()
    await waiting(1)
    const [running, waits] = app.proxy.exchanges()
    app.proxy.abort(waits!.id)
    assert.equal((await app.record()).code, 'aborted')
    app.proxy.abort(running!.id)
    assert.equal((await app.record()).code, 'aborted')
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })

  test('close() ends what waits', async (t) => {
    const { app, policy, provider, ask, waiting } = await started(t, { maxConcurrent: 1 })
    await ask()
    await provider.next()
    await ask()
    await waiting(1)
    await app.proxy.close({ graceMs: 0 })
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })
})

describe('a queue before targets', () => {
  test('waits for their maxConcurrent, and holds up no one whose target has room', async (t) => {
    const slow = await startProvider(t)
    const other = await startProvider(t)
    const { ask, waiting, finish, policy, app } = await started(t, {}, {
      target: undefined,
      targets: [
        { name: 'slow', target: slow.url, models: ['m1'], maxConcurrent: 1 },
        { name: 'other', target: other.url, models: ['m2'], maxConcurrent: 1 },
      ],
    } as never)
    const asking = (model: string) => ask('ada', path, { ...request, model })
    await asking('m1')
    const call = await slow.next()
    const clients = [await asking('m1'), await asking('m1'), await asking('m1')]
    await waiting(3)
    await asking('m2')
    finish(await other.next())
    finish(call)
    for (const client of clients) {
      finish(await slow.next())
      await client.sees('[DONE]')
    }
    for (let n = 0; n < 5; n++) assert.equal((await app.record()).outcome, 'completed')
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })

  test('never asks for a place that another has just taken', async (t) => {
    const provider = await startProvider(t)
    const { ask, finish, app } = await started(t, { maxWaiting: 1000 }, {
      target: undefined,
      targets: [{ name: 'one', target: provider.url, maxConcurrent: 2 }],
    } as never)
    for (let n = 0; n < 20; n++) await ask()
    for (let n = 0; n < 20; n++) finish(await provider.next())
    const codes = []
    for (let n = 0; n < 20; n++) codes.push((await app.record()).code)
    assert.deepEqual([...new Set(codes)], [undefined])
  })
})

describe('a queue before targets that fail', () => {
  const answers = (call: Call) =>
    call.sse(['data: {"id":"1","choices":[{"delta":{"content":"Hi"}}]}\n\n']).end('data: [DONE]\n\n')

  test('waits for a busy target while the other cools and is not to be asked', async (t) => {
    const busy = await startProvider(t)
    const cooling = await startProvider(t)
    const { ask, waiting, app } = await started(t, {}, {
      target: undefined,
      whenAllCooling: 'refuse',
      targets: [
        { name: 'busy', target: busy.url, maxConcurrent: 1 },
        { name: 'cooling', target: cooling.url, maxConcurrent: 1 },
      ],
    } as never)
    app.proxy.cool('cooling', 60_000)
    await ask()
    const call = await busy.next()
    const second = await ask()
    await waiting(1)
    answers(call)
    answers(await busy.next())
    await second.sees('[DONE]')
    assert.equal(cooling.calls.length, 0)
  })

  test('an exchange that is tried again at the next target has one place, and gives it back', async (t) => {
    const broken = await startProvider(t)
    const good = await startProvider(t)
    const { ask, waiting, app, policy } = await started(t, { maxConcurrent: 1 }, {
      target: undefined,
      targets: [
        { name: 'broken', target: broken.url, priority: 0 },
        { name: 'good', target: good.url, priority: 1 },
      ],
    } as never)
    const first = await ask()
    const call = await broken.next()
    const second = await ask()
    await waiting(1)
    call.json(401, { error: { message: 'no' } })
    const retried = await good.next()
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [1, 1])
    answers(retried)
    await first.sees('[DONE]')
    answers(await good.next())
    await second.sees('[DONE]')
    await app.record()
    await app.record()
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })

  test('a place is held while a policy behind the queue waits', async (t) => {
    const provider = await startProvider(t)
    const policy = queue({ maxWaiting: 10 })
    const slow = {
      name: 'slow',
      admit: () => new Promise<void>((resolve) => void setImmediate(() => setImmediate(resolve))),
    }
    const { ask, app } = await started(t, {}, {
      target: undefined,
      policies: [policy, slow],
      targets: [{ name: 'one', target: provider.url, maxConcurrent: 1 }],
    } as never)
    for (let n = 0; n < 6; n++) await ask()
    for (let n = 0; n < 6; n++) answers(await provider.next())
    const codes = []
    for (let n = 0; n < 6; n++) codes.push((await app.record()).code)
    assert.deepEqual([...new Set(codes)], [undefined])
    assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
  })
})

describe('options of a queue', () => {
  for (const [options, message] of [
    [{ maxConcurrent: 0 }, /queue: maxConcurrent takes a whole number of at least 1, or false; got 0/],
    [{ maxWaiting: -1 }, /queue: maxWaiting takes/],
    [{ maxWaitMs: 0 }, /queue: maxWaitMs takes milliseconds, above 0, or false; got 0/],
    [{ key: 'tenant' }, /queue: key takes a function; got 'tenant'/],
    [{ weight: 2 }, /queue: weight takes a function; got 2/],
    [{ maxWait: 1 }, /queue: there is no option maxWait\. Did you mean maxWaitMs\? queue takes /],
    [5, /queue: options takes an object; got 5/],
  ] as const) {
    test(`${JSON.stringify(options)} is refused`, () => {
      assert.throws(() => queue(options as never), message)
    })
  }
})
