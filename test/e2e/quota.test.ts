import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import type { AiProxyOptions } from '../../lib/index.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { memoryStore, type QuotaOptions, type QuotaStore, quota } from '../../lib/quota.js'
import { samplesOf } from '../metrics/support/scrape.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { chatChunk } from './support/streams.js'
import { until } from './support/waiting.js'

const { path, request } = openai
const answer = {
  model: 'gpt-test',
  choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50 },
}

async function started(
  t: TestContext,
  options: QuotaOptions,
  given: Partial<AiProxyOptions> | ((url: string) => object) = {},
  onCall: (call: Call) => unknown = (call) => call.json(200, answer),
) {
  t.mock.method(process, 'emitWarning', () => {})
  const policy = quota(options)
  const provider = await startProvider(t, { onCall: (call) => void onCall(call) })
  const errors: string[] = []
  const app = await startApp(t, {
    target: provider.url,
    identify: (req) => ({ id: req.get('x-user') ?? 'ada', tenant: 'acme' }),
    policies: [policy],
    onError: (error, { hook }) => void errors.push(`${hook}: ${(error as Error).message}`),
    ...(typeof given === 'function' ? given(provider.url) : given),
  })
  const ask = async (body: object = { ...request, stream: false }, user = 'ada') => {
    const response = await post(app.url + path, body, { headers: { 'x-user': user } })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, record: await app.record() }
  }
  return { policy, provider, app, ask, errors }
}

const key = 'user:ada'
const only = async (policy: ReturnType<typeof quota>, kind: string) =>
  (await policy.status(key)).find((limit) => limit.kind === kind)

describe('a quota of requests', () => {
  const limits = [{ key, requests: 2, per: '1h' }] as const

  test('lets pass what it allows, and refuses the rest with 429 in the client’s protocol', async (t) => {
    const { ask, provider } = await started(t, { limits })
    const [first, second, third] = [await ask(), await ask(), await ask()]
    assert.deepEqual([first.status, second.status, third.status, provider.calls.length], [200, 200, 429, 2])
    assert.deepEqual([third.record.code, third.record.outcome], ['quota_exceeded', 'limit_exceeded'])
    const { error } = JSON.parse(third.text)
    assert.deepEqual([error.type, error.code], ['rate_limit_error', 'quota_exceeded'])
    assert.match(
      error.message,
      /^The quota of requests per 1h for user:ada is exceeded: 2 of 2 used; there is room in \d/,
    )
    const { headers } = third
    assert.ok(Number(headers.get('retry-after')) > 60)
    assert.equal(headers.get('x-should-retry'), 'false')
    assert.deepEqual(
      ['limit', 'remaining'].map((name) => headers.get(`x-ratelimit-${name}-requests`)),
      ['2', '0'],
    )
    assert.match(headers.get('x-ratelimit-reset-requests') ?? '', /^(\d+h)?\d+m\d+s$/)
    assert.match(headers.get('ratelimit') ?? '', /^"requests-1h";r=0;t=\d+$/)
    assert.equal(headers.get('ratelimit-policy'), '"requests-1h";q=2;w=3600')
    assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1')
  })

  test('asks the store once for a refusal that it knows', async (t) => {
    const store = memoryStore()
    let calls = 0
    const counting: QuotaStore = {
      ...methodsOf(store),
      reserve: (reservation) => {
        calls++
        return store.reserve(reservation)
      },
    }
    const { ask, policy } = await started(t, { limits, store: counting })
    for (let at = 0; at < 6; at++) await ask()
    assert.equal(calls, 3)
    await policy.reset(key)
    assert.equal((await ask()).status, 200, 'a reset is seen at once')
  })

  test('without enforcement counts and reports everything, and refuses nothing', async (t) => {
    const exceeded: string[] = []
    const { ask, policy } = await started(t, {
      limits,
      enforce: false,
      onExceeded: ({ key, kind }) => void exceeded.push(`${key} ${kind}`),
    })
    for (let at = 0; at < 4; at++) assert.equal((await ask()).status, 200)
    assert.deepEqual(exceeded, ['user:ada requests', 'user:ada requests'])
    assert.equal((await only(policy, 'requests'))?.used, 4)
    assert.equal(policy.stats().exceeded, 2)
  })
})

function methodsOf(store: QuotaStore): QuotaStore {
  return {
    reserve: (reservation) => store.reserve(reservation),
    settle: (settlement) => store.settle(settlement),
    renew: (leases, leaseMs) => store.renew(leases, leaseMs),
    read: (of, slot) => store.read(of, slot),
    reset: (of, slot) => store.reset(of, slot),
  }
}

describe('a request that goes nowhere', () => {
  const limits = [{ key, requests: 5, tokens: 10_000, per: '1h' }] as const

  test('is not counted if a later policy refuses it', async (t) => {
    const refusing = { name: 'no', admit: () => ({ refuse: { message: 'No' } }) }
    const policy = quota({ limits })
    const { ask } = await started(t, { limits }, { policies: [policy, refusing] })
    assert.equal((await ask()).status, 403)
    assert.deepEqual([(await only(policy, 'requests'))?.used, (await only(policy, 'tokens'))?.used], [0, 0])
  })

  test('is counted if its client leaves, with the input that it sent', async (t) => {
    const { app, policy, provider } = await started(t, { limits }, {}, () => {})
    const client = (await connect(t, app.port)).post(`/ai${path}`, { ...request, max_tokens: 900 })
    await provider.next()
    assert.ok(((await only(policy, 'tokens'))?.used ?? 0) > 900, 'reserved meanwhile')
    client.leave()
    await app.record()
    assert.equal((await only(policy, 'requests'))?.used, 1)
    const { used = 0 } = (await only(policy, 'tokens')) ?? {}
    assert.ok(used > 10 && used < 200, `${used} tokens`)
  })

  test('is given back if the provider refuses it', async (t) => {
    const { ask, policy } = await started(t, { limits }, {}, (call) => call.json(400, { error: { message: 'no' } }))
    assert.equal((await ask()).status, 400)
    assert.deepEqual([(await only(policy, 'requests'))?.used, (await only(policy, 'tokens'))?.used], [1, 0])
  })
})

describe('a quota of tokens', () => {
  test('reserves input and the request’s own maximum, and settles what was used', async (t) => {
    let held: number | undefined
    const { ask, policy } = await started(
      t,
      { limits: [{ key, tokens: 1000, per: 'day', timeZone: 'Europe/Berlin' }], countInput: () => 40 },
      {},
      async (call) => {
        held = (await only(policy, 'tokens'))?.used
        call.json(200, answer)
      },
    )
    const { headers } = await ask({ ...request, stream: false, max_tokens: 300 })
    assert.equal(held, 340)
    assert.equal(headers.get('x-ratelimit-remaining-tokens'), '660')
    assert.equal((await only(policy, 'tokens'))?.used, 50)
    const tooMany = await ask({ ...request, stream: false, max_tokens: 2000 })
    assert.equal(tooMany.status, 429)
    assert.match(tooMany.text, /this request may need 2040/)
    assert.equal(tooMany.headers.get('retry-after'), null)
    assert.equal(tooMany.headers.get('x-should-retry'), 'false')
    assert.equal((await ask({ ...request, stream: false, max_tokens: 900 })).status, 200)
  })

  test('uses up no limit if another one refuses', async (t) => {
    const limits = [
      { key, requests: 10, per: '1h' },
      { key: 'team', tokens: 100, per: '1h' },
    ] as const
    const { ask, policy } = await started(t, { limits, countInput: () => 10 })
    assert.equal((await ask({ ...request, stream: false, max_tokens: 500 })).status, 429)
    assert.equal((await only(policy, 'requests'))?.used ?? 0, 0)
  })

  test('takes an overdraft from what comes next', async (t) => {
    const { ask, policy } = await started(t, {
      limits: [{ key, tokens: 45, per: 'month' }],
      countInput: () => 1,
      assumedOutput: 1,
    })
    assert.equal((await ask()).status, 200)
    assert.equal((await only(policy, 'tokens'))?.used, 45)
    assert.equal((await ask()).status, 429)
    await policy.add(key, { tokens: 30 })
    assert.equal((await ask()).status, 200)
  })

  test('assumes the output of earlier answers', async (t) => {
    const { ask, policy } = await started(
      t,
      { limits: [{ key, tokens: 1e6, per: '1h' }], countInput: () => 0 },
      {},
      async (call) => {
        call.json(200, answer)
      },
    )
    for (let at = 0; at < 10; at++) await ask()
    const { headers } = await ask()
    assert.equal(headers.get('x-ratelimit-remaining-tokens'), String(1e6 - 10 * 50 - 10))
    assert.equal((await only(policy, 'tokens'))?.used, 550)
  })

  test('charges what the app says', async (t) => {
    const { ask, policy } = await started(t, {
      limits: [{ key, tokens: 1000, per: '1h' }],
      assumedOutput: 1,
      charge: ({ tokens }, { req }) => ({ tokens: (tokens?.total ?? 0) * (req.method === 'POST' ? 2 : 3) }),
    })
    await ask()
    assert.equal((await only(policy, 'tokens'))?.used, 100)
  })
})

describe('of several limits, a refusal names', () => {
  const few = { countInput: () => 1, assumedOutput: 1 }
  const DAY_S = 24 * 60 * 60

  test('the one that lasts longest, even if another is exceeded by more', async (t) => {
    const limits = [
      { key, tokens: 10, per: '1h' },
      { key, tokens: 40, per: '30d' },
    ] as const
    const { ask } = await started(t, { ...few, limits })
    assert.equal((await ask()).status, 200)
    const { text, headers } = await ask()
    assert.match(text, /The quota of tokens per 30d for user:ada is exceeded: 50 of 40 used/)
    assert.ok(Number(headers.get('retry-after')) > DAY_S)
    assert.equal(headers.get('x-should-retry'), 'false')
  })

  test('none that is not exceeded, although it would last longer', async (t) => {
    const limits = [
      { key, tokens: 51, per: '30d' },
      { key, tokens: 1000, requests: 1, per: '1h' },
    ] as const
    const { ask } = await started(t, { countInput: () => 0, assumedOutput: 1, limits })
    assert.equal((await ask()).status, 200)
    assert.match((await ask()).text, /The quota of requests per 1h for user:ada is exceeded: 1 of 1 used/)
  })

  test('the one that a request can never fit in', async (t) => {
    const limits = [
      { key, requests: 1, per: 'month' },
      { key, tokens: 100, per: '1h' },
    ] as const
    const { ask } = await started(t, { ...few, limits })
    assert.equal((await ask()).status, 200)
    const { text, headers } = await ask({ ...request, stream: false, max_tokens: 500 })
    assert.match(
      text,
      /The quota of tokens per 1h for user:ada is exceeded: 50 of 100 used, and this request may need 501/,
    )
    assert.equal(headers.get('retry-after'), null)
  })
})

describe('what does not lose anything', () => {
  test('a `charge` that throws: what was used is charged, and nothing is held', async (t) => {
    const { ask, policy, errors } = await started(t, {
      limits: [{ key, tokens: 5000, per: '1h' }],
      charge: () => {
        throw new Error('no tariff')
      },
    })
    assert.equal((await ask()).status, 200)
    await until(() => errors.length === 1, 'the app gets the error')
    assert.deepEqual([(await only(policy, 'tokens'))?.used, policy.stats().running], [50, 0])
  })

  for (const tokens of [Number.NaN, -1, Number.POSITIVE_INFINITY, '7']) {
    test(`a \`charge\` of ${String(tokens)} tokens: what was used is charged, and the app is told`, async (t) => {
      const limits = [{ key, tokens: 5000, per: '1h' }] as const
      const { ask, policy, errors } = await started(t, { limits, charge: () => ({ tokens: tokens as number }) })
      assert.equal((await ask()).status, 200)
      await until(() => errors.length === 1, 'the app gets the error')
      assert.match(
        String(errors[0]),
        /policies: quota: the `tokens` that `charge` returns has to be a number of at least 0/,
      )
      assert.deepEqual([(await only(policy, 'tokens'))?.used, policy.stats().running], [50, 0])
    })
  }

  for (const name of ['countInput', 'assumedOutput'] as const) {
    for (const amount of [Number.NaN, -1, Number.POSITIVE_INFINITY, undefined]) {
      test(`a \`${name}\` that returns ${String(amount)}: the request is refused, not counted as nothing`, async (t) => {
        const limits = [{ key, tokens: 5000, per: '1h' }] as const
        const { ask, policy, errors } = await started(t, { limits, [name]: () => amount })
        assert.equal((await ask(request)).status, 500)
        await until(() => errors.length === 1, 'the app gets the error')
        assert.match(String(errors[0]), new RegExp(`policies: quota: what \`${name}\` returns has to be a number`))
        assert.equal(policy.stats().running, 0)
      })
    }
  }

  test('an `onExceeded` that throws under rehearsal: nothing is held', async (t) => {
    const { ask, policy } = await started(t, {
      limits: [{ key, tokens: 5000, concurrent: 0, per: '1h' }],
      enforce: false,
      onExceeded: () => {
        throw new Error('no log')
      },
    })
    assert.equal((await ask()).status, 500)
    assert.deepEqual([(await only(policy, 'tokens'))?.used, policy.stats().running], [0, 0])
  })

  test('a denial that is remembered: it does not hold for a larger limit of the same name', async (t) => {
    const { ask } = await started(t, {
      limits: (_, { stream }) => [{ key, requests: stream ? 9 : 1, per: '1h' }],
    })
    assert.deepEqual([(await ask()).status, (await ask()).status, (await ask()).status], [200, 429, 429])
    assert.equal((await ask(request)).status, 200)
  })

  test('what is added to a key counts in the window of now, also if it was last used before that', async (t) => {
    const { MemoryStore } = await import('../../lib/quota/memory-store.js')
    let now = Date.now()
    const { ask, policy } = await started(t, {
      store: new MemoryStore(() => now),
      limits: [{ key, requests: 1, per: '1d' }],
    })
    assert.equal((await ask()).status, 200)
    now += 3 * 86_400_000
    await policy.add(key, { requests: 1 })
    assert.deepEqual([(await ask()).status, (await ask()).status, (await ask()).status], [200, 200, 429])
  })
})

describe('a quota of money', () => {
  const prices = { 'gpt-test': { input: 1e4, output: 1e5 } }
  const limits = [{ key, cost: 5, per: 'week' }] as const

  test('reserves and settles by the prices', async (t) => {
    const { ask, policy } = await started(t, { limits, countInput: () => 40 }, { prices })
    const { record } = await ask({ ...request, stream: false, max_tokens: 20 })
    assert.equal(record.cost, 1.4)
    assert.equal((await only(policy, 'cost'))?.used, 1.4)
    const refused = await ask({ ...request, stream: false, max_tokens: 40 })
    assert.deepEqual([refused.status, refused.record.code], [429, 'quota_exceeded'])
    assert.match(refused.text, /1\.4 of 5 used, and this request may need 4\.4/)
  })

  describe('of models that targets rename', () => {
    const renaming = (prices: AiProxyOptions['prices']) => (url: string) => ({
      target: undefined,
      targets: [
        { name: 'cheap', target: url, models: { fast: 'small-1', deep: 'nameless' } },
        { name: 'dear', target: url, models: { fast: 'big-1' } },
      ],
      prices,
    })
    const table = { 'small-1': { input: 1e4, output: 1e5 }, 'big-1': { input: 2e4, output: 2e5 } }
    const fast = { ...request, model: 'fast', stream: false, max_tokens: 10 }

    test('reserves by the dearest of the names that they may be asked by, and settles by the one that was', async (t) => {
      const options = { limits: [{ key, cost: 2.7, per: 'week' }] as const, countInput: () => 40 }
      const { ask, policy } = await started(t, options, renaming(table), (call) =>
        call.json(200, { ...answer, model: undefined }),
      )
      const refused = await ask(fast)
      assert.deepEqual([refused.status, refused.record.code], [429, 'quota_exceeded'])
      assert.match(refused.text, /0 of 2\.7 used, and this request may need 2\.8/)
      const { status, record } = await ask({ ...fast, max_tokens: 9 })
      assert.equal(status, 200)
      assert.deepEqual([record.target, record.cost, record.costEstimated], ['cheap', 1.4, false])
      assert.equal((await only(policy, 'cost'))?.used, 1.4)
    })

    test('lets none pass if one of these names has no price', async (t) => {
      const { 'big-1': _, ...some } = table
      const { ask } = await started(t, { limits }, renaming(some))
      assert.equal((await ask(fast)).record.code, 'price_unknown')
      assert.equal((await ask({ ...fast, model: 'deep' })).record.code, 'price_unknown')
      const aliased = await started(t, { limits }, renaming({ ...some, fast: table['big-1'] }))
      assert.equal((await aliased.ask(fast)).status, 200)
    })

    test('cuts a stream by the price at the target that was asked', async (t) => {
      const options = { limits: [{ key, cost: 3, per: 'week' }] as const, onExhausted: 'cut' as const }
      const word = chatChunk([{ index: 0, delta: { content: ' word' }, finish_reason: null }])
      const burst = Buffer.concat(Array.from({ length: 200 }, () => word))
      const { ask } = await started(
        t,
        { ...options, countInput: () => 10, assumedOutput: 5 },
        renaming(table),
        (call) => call.sse([]).send(burst),
      )
      const { text, record } = await ask({ ...request, model: 'fast' })
      assert.equal(record.code, 'quota_exceeded')
      const passed = text.split(' word').length - 1
      assert.ok(passed >= 27 && passed <= 31, `${passed} words`)
    })
  })

  test('lets no model pass that has no price', async (t) => {
    const { ask, provider } = await started(t, { limits }, { prices: { other: { input: 1, output: 1 } } })
    const { status, record } = await ask()
    assert.deepEqual([status, record.code, provider.calls.length], [403, 'price_unknown', 0])
  })
})

test('an attempt that another one replaced is not charged, even if it reported its usage', async (t) => {
  const start = (input: number) =>
    `event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":{"input_tokens":${input},"output_tokens":1}}}\n\n`
  const rest = [
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n',
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  ]
  const overloaded = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"later"}}\n\n'
  const at = (url: string) => (name: string, priority: number) => ({ name, target: `${url}/${name}`, priority })
  const { app, policy } = await started(
    t,
    { limits: [{ key, tokens: 100_000, per: '1h' }] },
    (url) => ({ target: undefined, targets: ['a', 'b'].map(at(url)) }),
    (call) =>
      call.url.startsWith('/a') ? call.sse([start(500)]).end(overloaded) : call.sse([start(7), ...rest]).end(),
  )
  const response = await post(`${app.url}/v1/messages`, { model: 'c', max_tokens: 9, stream: true, messages: [] })
  assert.match(await response.text(), /message_stop/)
  const record = await app.record()
  assert.deepEqual(
    record.attempts.map(({ target, code }) => [target, code]),
    [
      ['a', 'upstream_error'],
      ['a', 'upstream_error'],
      ['b', undefined],
    ],
  )
  assert.deepEqual([record.tokens?.total, (await only(policy, 'tokens'))?.used], [10, 10])
})

describe('a quota of concurrency', () => {
  test('holds while an exchange runs, on every way it ends', async (t) => {
    const { app, policy, provider, ask } = await started(t, { limits: [{ key, concurrent: 1 }] }, {}, () => {})
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = await provider.next()
    const refused = await ask()
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.match(refused.text, /quota of concurrent requests for user:ada is exceeded: 1 of 1 used/)
    assert.equal((await ask({ ...request, stream: false }, 'bob')).status, 429, 'the key is the same for all')
    client.leave()
    await call.gone
    await app.record()
    assert.equal((await only(policy, 'concurrent'))?.used, 0)
    assert.equal(policy.stats().running, 0)
  })
})

describe("a stream under 'cut'", () => {
  const words = (count: number) =>
    Array.from({ length: count }, (_, at) =>
      chatChunk([{ index: 0, delta: { content: ` word${at}` }, finish_reason: null }]),
    )

  async function burst(t: TestContext, allowed: number, count: number, options: Partial<QuotaOptions> = {}) {
    const { app, policy, provider } = await started(
      t,
      {
        limits: [{ key, tokens: allowed, per: '1h' }],
        countInput: () => 10,
        assumedOutput: 20,
        onExhausted: 'cut',
        ...options,
      },
      {},
      () => {},
    )
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = await provider.next()
    call.sse([]).send(Buffer.concat(words(count)))
    return { app, policy, client, call }
  }

  test('ends with an error event once nothing is left, after one event too many at most', async (t) => {
    const { app, client, call, policy } = await burst(t, 100, 2000)
    await client.sees('"code":"quota_exceeded"')
    await call.gone
    const { code, outcome, usage } = await app.record()
    assert.deepEqual([code, outcome], ['quota_exceeded', 'limit_exceeded'])
    assert.ok((usage?.outputTokens ?? 0) >= 85 && (usage?.outputTokens ?? 0) <= 95, `${usage?.outputTokens} tokens`)
    assert.deepEqual([policy.stats().cut, (await only(policy, 'tokens'))?.kind], [1, 'tokens'])
    const { used = 0 } = (await only(policy, 'tokens')) ?? {}
    assert.ok(used >= 90 && used <= 106, `${used} used`)
  })

  test('goes on while there is more', async (t) => {
    const { app, client, call, policy } = await burst(t, 100_000, 500)
    await client.sees('word499')
    call.end('data: [DONE]\n\n')
    const { outcome } = await app.record()
    assert.equal(outcome, 'completed')
    assert.equal(policy.stats().cut, 0)
  })

  test("is not cut under 'finish'", async (t) => {
    const { app, client, call } = await burst(t, 100, 500, { onExhausted: 'finish' })
    await client.sees('word499')
    call.end('data: [DONE]\n\n')
    assert.equal((await app.record()).outcome, 'completed')
  })
})

describe('limits per request', () => {
  test('may be asked for asynchronously, and get subject and model', async (t) => {
    const seen: unknown[] = []
    const { ask } = await started(t, {
      limits: async ({ subject, model }) => {
        seen.push([subject.id, subject.tenant, model])
        return [{ key: `user:${subject.id}`, requests: 1, per: '1h' }]
      },
    })
    const asked = [await ask(undefined, 'ada'), await ask(undefined, 'ada'), await ask(undefined, 'bob')]
    assert.deepEqual(
      asked.map(({ status }) => status),
      [200, 429, 200],
    )
    assert.deepEqual(seen[0], ['ada', 'acme', 'gpt-test'])
  })

  for (const [name, limits] of [
    ['no list', () => 5],
    ['no key', () => [{ requests: 1, per: '1h' }]],
    ['no limit', () => [{ key: 'a', per: '1h' }]],
    ['no time', () => [{ key: 'a', requests: 1 }]],
    ['a wrong time', () => [{ key: 'a', requests: 1, per: 'fortnight' }]],
    ['a wrong zone', () => [{ key: 'a', requests: 1, per: 'day', timeZone: 'Mars/Olympus' }]],
    ['a wrong number', () => [{ key: 'a', requests: Number.NaN, per: '1h' }]],
    [
      'two of a kind',
      () => [
        { key: 'a', requests: 1, per: '1h' },
        { key: 'a', requests: 2, per: '1h' },
      ],
    ],
    ['a misspelling', () => [{ key: 'a', request: 1, per: '1h' }]],
    [
      'an exception',
      () => {
        throw new Error('no database')
      },
    ],
  ] as const) {
    test(`${name}: the request is refused with policy_failed, and the reason is reported`, async (t) => {
      const { ask, errors, policy } = await started(t, { limits: limits as never })
      const { status, record } = await ask()
      assert.deepEqual([status, record.code, errors.length, policy.stats().running], [500, 'policy_failed', 1, 0])
      assert.match(errors[0]!, /^policies: (quota: .*limits|no database)/)
    })
  }
})

describe('a store that fails', () => {
  /** A store that fails while it is told to. */
  function broken() {
    const store = memoryStore()
    let isDown = false
    const through =
      <A extends unknown[], R>(call: (...args: A) => R) =>
      (...args: A): R => {
        if (isDown) throw new Error('connection refused')
        return call(...args)
      }
    const { reserve, settle, renew, read, reset } = methodsOf(store)
    const wrapped = {
      reserve: through(reserve),
      settle: through(settle),
      renew: through(renew),
      read,
      reset,
    }
    return {
      store: wrapped,
      fail: (down = true) => {
        isDown = down
      },
    }
  }
  const limits = [{ key, requests: 6, per: '1h' }] as const

  test("'local' counts a share in this process, and the store is told when it is back", async (t) => {
    const { store, fail } = broken()
    const register = new Registry()
    const observer = prometheusObserver({ register })
    t.after(() => observer.close())
    const { ask, policy } = await started(t, { limits, store, instances: 3, leaseMs: 60 }, { observers: [observer] })
    fail()
    const statuses = [await ask(), await ask(), await ask()].map(({ status }) => status)
    assert.deepEqual(statuses, [200, 200, 429])
    assert.equal(policy.stats().isStoreDown, true)
    assert.equal(policy.stats().pending, 2)
    const samples = await samplesOf(register, 'ai_proxy_policy')
    assert.ok(samples.includes('ai_proxy_policy{policy="quota",figure="store_down"} 1'), samples.join('\n'))
    assert.ok(samples.some((line) => /figure="store_failures"\} [1-9]/.test(line)))
    fail(false)
    await until(() => policy.stats().pending === 0, 'the store has been told', 5000)
    assert.equal((await only(policy, 'requests'))?.used, 2)
  })

  test('it gets what it has missed even if no request follows', async (t) => {
    const { store, fail } = broken()
    const { app, policy, provider } = await started(t, { limits, store, leaseMs: 60 }, {}, () => {})
    const asked = post(app.url + path, { ...request, stream: false }, { headers: { 'x-user': 'ada' } })
    const call = await provider.next()
    fail()
    call.json(200, answer)
    await (await asked).text()
    await until(() => policy.stats().pending === 1, 'the settlement waits')
    fail(false)
    await until(() => policy.stats().pending === 0, 'the store has been told', 5000)
  })

  test("'open' lets requests pass", async (t) => {
    const { store, fail } = broken()
    const { ask } = await started(t, { limits: [{ key, requests: 0, per: '1h' }], store, whenStoreFails: 'open' })
    assert.equal((await ask()).status, 429)
    fail()
    assert.equal((await ask(undefined, 'bob')).status, 429, 'a denial is remembered')
    const other = await started(t, { limits, store, whenStoreFails: 'open' })
    assert.equal((await other.ask()).status, 200)
  })

  test("'closed' refuses them with 503", async (t) => {
    const { store, fail } = broken()
    const { ask, provider } = await started(t, { limits, store, whenStoreFails: 'closed' })
    fail()
    const { status, record, headers } = await ask()
    assert.deepEqual([status, record.code, provider.calls.length], [503, 'quota_unavailable', 0])
    assert.equal(headers.get('retry-after'), '1')
  })
})
