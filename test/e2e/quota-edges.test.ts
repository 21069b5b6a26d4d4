import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type AiProxy, type AiProxyOptions, aiProxy, hashedKeys, newKey, type Policy } from '../../lib/index.js'
import { memoryStore, type QuotaOptions, quota } from '../../lib/quota.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { anthropic, openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { chatChunk, sseEvent } from './support/streams.js'
import { until } from './support/waiting.js'

const key = 'user:ada'

async function started(
  t: TestContext,
  options: QuotaOptions,
  onCall: (call: Call) => unknown,
  given: Partial<AiProxyOptions> = {},
) {
  t.mock.method(process, 'emitWarning', () => {})
  const policy = quota(options)
  const provider = await startProvider(t, { onCall: (call) => void onCall(call) })
  const app = await startApp(t, {
    target: provider.url,
    identify: () => ({ id: 'ada', tenant: 'acme' }),
    policies: [policy],
    ...given,
  })
  const ask = async (at: string, body: object) => {
    const response = await post(app.url + at, body)
    const text = await response.text().catch(() => 'broken off')
    return { status: response.status, text, record: await app.record() }
  }
  const used = async (kind: string) => (await policy.status(key)).find((limit) => limit.kind === kind)?.used
  return { policy, provider, app, ask, used }
}

const word = (at: number) => chatChunk([{ index: 0, delta: { content: ` word${at}` }, finish_reason: null }])
const end = [chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }]), Buffer.from('data: [DONE]\n\n')]

test('what was overdrawn on one day is in the status of the next, and gone on the one after', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 5, 12) })
  const usage = { prompt_tokens: 400, completion_tokens: 10, total_tokens: 410 }
  const limits = [{ key, tokens: 300, per: 'day' }] as const
  const { ask, used } = await started(t, { limits, assumedOutput: 10 }, (call) => call.json(200, { usage }))
  assert.equal((await ask(openai.path, { ...openai.request, stream: false })).status, 200)
  assert.equal(await used('tokens'), 300)
  t.mock.timers.setTime(Date.UTC(2026, 0, 6, 12))
  assert.equal(await used('tokens'), 110, 'before it is used on that day')
  await ask(openai.path, { ...openai.request, stream: false })
  assert.equal(await used('tokens'), 300)
  t.mock.timers.setTime(Date.UTC(2026, 0, 8, 12))
  assert.equal(await used('tokens'), 0)
})

describe("'cut' cuts only if nothing is left", () => {
  const options: QuotaOptions = { limits: [{ key, tokens: 200_000, per: '1h' }], onExhausted: 'cut' }

  test('not because the provider counts more input than its size suggests', async (t) => {
    const { ask, policy } = await started(t, options, (call) => {
      const usage = { input_tokens: 60_000, output_tokens: 1 }
      const message = { id: 'm', type: 'message', role: 'assistant', model: 'claude', content: [], usage }
      call.sse([
        String(sseEvent({ type: 'message_start', message }, 'message_start')),
        String(
          sseEvent(
            { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'A picture' } },
            'content_block_delta',
          ),
        ),
        String(
          sseEvent(
            { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } },
            'message_delta',
          ),
        ),
        String(sseEvent({ type: 'message_stop' }, 'message_stop')),
      ])
      call.end()
    })
    const { record } = await ask(anthropic.path, { ...anthropic.request, max_tokens: 100 })
    assert.deepEqual([record.outcome, policy.stats().cut], ['completed', 0])
  })

  test('not because one event has more than was reserved', async (t) => {
    const long = chatChunk([{ index: 0, delta: { content: 'word '.repeat(900) }, finish_reason: null }])
    const { ask } = await started(t, { ...options, assumedOutput: 20 }, (call) =>
      call.sse([]).end(Buffer.concat([long, ...end])),
    )
    assert.equal((await ask(openai.path, openai.request)).record.outcome, 'completed')
  })

  test('with a store that answers later, not while it is asked', async (t) => {
    const memory = memoryStore()
    const store = {
      reserve: async (reservation: Parameters<typeof memory.reserve>[0]) => {
        await new Promise((resolve) => setImmediate(resolve))
        return memory.reserve(reservation)
      },
      settle: memory.settle.bind(memory),
      renew: memory.renew.bind(memory),
      read: memory.read.bind(memory),
      reset: memory.reset.bind(memory),
    }
    const { ask } = await started(t, { ...options, assumedOutput: 5, store }, (call) =>
      call.sse([]).end(Buffer.concat([...Array.from({ length: 800 }, (_, at) => word(at)), ...end])),
    )
    assert.equal((await ask(openai.path, openai.request)).record.outcome, 'completed')
  })
})

for (const [first, second] of [
  [200_000, 100],
  [100, 200_000],
] as const) {
  test(`'cut' names the limit of which nothing is left, of ${first} and ${second}`, async (t) => {
    const limits = [
      { key, tokens: first, per: '1h' },
      { key: 'team:acme', tokens: second, per: '1d' },
    ] as const
    const { ask } = await started(t, { limits, onExhausted: 'cut', countInput: () => 0, assumedOutput: 20 }, (call) =>
      call.sse([]).end(Buffer.concat([...Array.from({ length: 200 }, (_, at) => word(at)), ...end])),
    )
    const { text } = await ask(openai.path, openai.request)
    const named = first < second ? '1h for user:ada' : '1d for team:acme'
    assert.match(text, new RegExp(`The quota of tokens per ${named} is used up`))
  })
}

test("'cut' lets no burst pass while a store that is elsewhere is asked", async (t) => {
  const memory = memoryStore()
  const store = {
    reserve: async (reservation: Parameters<typeof memory.reserve>[0]) => {
      for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve))
      return memory.reserve(reservation)
    },
    settle: memory.settle.bind(memory),
    renew: memory.renew.bind(memory),
    read: memory.read.bind(memory),
    reset: memory.reset.bind(memory),
  }
  const limits = [{ key, tokens: 200, per: '1h' }] as const
  const burst = Buffer.concat([...Array.from({ length: 2000 }, (_, at) => word(at)), ...end])
  const { ask, used } = await started(
    t,
    { limits, store, onExhausted: 'cut', assumedOutput: 20, countInput: () => 0 },
    (call) => call.sse([]).end(burst),
  )
  const ended = await Promise.all(Array.from({ length: 4 }, () => ask(openai.path, openai.request)))
  assert.deepEqual(
    ended.map(({ record }) => record.code),
    Array(4).fill('quota_exceeded'),
  )
  // An event has two tokens by our estimate.
  const total = (await used('tokens'))!
  assert.ok(total >= 200 && total <= 200 + 4 * 2, `${total} tokens`)
})

for (const [whenStoreFails, status] of [
  ['closed', 503],
  ['local', 429],
] as const) {
  test(`what a store took although its answer was lost is given back if the request is refused (${whenStoreFails})`, async (t) => {
    const memory = memoryStore()
    let isLost = true
    const store = {
      reserve: (reservation: Parameters<typeof memory.reserve>[0]) => {
        const reserved = memory.reserve(reservation)
        return isLost ? Promise.reject(new Error('the answer was lost')) : reserved
      },
      settle: memory.settle.bind(memory),
      renew: memory.renew.bind(memory),
      read: memory.read.bind(memory),
      reset: memory.reset.bind(memory),
    }
    // This process's share is too small for the request.
    const limits = [{ key, tokens: 1000, per: '1h' }] as const
    const options = { limits, store, whenStoreFails, instances: 10, assumedOutput: 500, leaseMs: 6000 }
    const { ask, used, policy } = await started(t, options, () => {})
    assert.equal((await ask(openai.path, openai.request)).record.status, status)
    assert.ok((await used('tokens'))! >= 500)
    isLost = false
    // Its process tells the store long before the lease would end.
    await until(() => policy.stats().pending === 0, 'the store has been told')
    assert.equal(await used('tokens'), 0)
  })
}

for (const [whenStoreFails, failing, when] of [
  ['closed', 2, 'a stream asks it for more'],
  ['local', 1, 'a stream begins, which asks it for more once it is back'],
] as const) {
  test(`a store that fails while ${when} is told all of it, once (${whenStoreFails})`, async (t) => {
    const memory = memoryStore()
    let reservations = 0
    let isTold = false
    const store = {
      reserve: (reservation: Parameters<typeof memory.reserve>[0]) =>
        ++reservations === failing ? Promise.reject(new Error('down')) : memory.reserve(reservation),
      settle: memory.settle.bind(memory),
      renew: async (...args: Parameters<typeof memory.renew>) => {
        await memory.renew(...args)
        isTold = true
      },
      read: memory.read.bind(memory),
      reset: memory.reset.bind(memory),
    }
    const limits = [{ key, tokens: 200_000, requests: 10, per: '1h' }] as const
    const { ask, policy, used } = await started(
      t,
      { limits, onExhausted: 'cut', whenStoreFails, assumedOutput: 20, store, leaseMs: 3100, countInput: () => 0 },
      async (call) => {
        call.sse([]).send(Buffer.concat(Array.from({ length: 100 }, (_, at) => word(at))))
        // A failed store is left alone for a second. Then it is told what it has missed.
        await until(() => isTold, 'it was told')
        const usage = { prompt_tokens: 100, completion_tokens: 2000, total_tokens: 2100 }
        const rest = Array.from({ length: 1500 }, (_, at) => word(at))
        call.end(Buffer.concat([...rest, end[0]!, chatChunk([], { usage }), end[1]!]))
      },
    )
    const { record } = await ask(openai.path, { ...openai.request, stream_options: { include_usage: true } })
    assert.equal(record.outcome, 'completed')
    await policy.close?.()
    assert.deepEqual([await used('tokens'), await used('requests')], [2100, 1])
  })
}

describe('an answer of the app', () => {
  const usage = { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50 }
  const body = { own: true }
  for (const [hook, given, charged, charge] of [
    ['onRequest', { onRequest: () => ({ body }) }, [undefined, undefined], undefined],
    ['onResponse', { onResponse: () => ({ body }) }, [1, 0], undefined],
    ['onResponse', { onResponse: () => ({ body }) }, [1, 7], () => ({ tokens: 7 })],
    ['onAnswer', { onAnswer: () => ({ body }) }, [1, 50], undefined],
  ] as const) {
    test(`from ${hook} ${charge ? 'pays what `charge` says' : 'pays what it used'}`, async (t) => {
      const limits = [{ key, requests: 9, tokens: 1000, per: '1h' }] as const
      const options = { limits, assumedOutput: 9, ...(charge && { charge }) }
      const { ask, used } = await started(t, options, (call) => call.json(200, { usage }), given)
      assert.equal((await ask(openai.path, { ...openai.request, stream: false })).text, JSON.stringify(body))
      assert.deepEqual([await used('requests'), await used('tokens')], charged)
    })
  }
})

describe('what is charged', () => {
  const limits = [{ key, tokens: 1e6, per: '1h' }] as const
  const usage = { prompt_tokens: 100, completion_tokens: 5000, total_tokens: 5100 }

  test('a failed answer pays what the provider has reported, output included', async (t) => {
    const { ask, used } = await started(t, { limits }, (call) =>
      call
        .sse([])
        .end(
          Buffer.concat([word(1), chatChunk([], { usage }), sseEvent({ error: { message: 'overloaded', code: 500 } })]),
        ),
    )
    const { record } = await ask(openai.path, { ...openai.request, stream_options: { include_usage: true } })
    assert.equal(record.outcome, 'upstream_error')
    assert.equal(await used('tokens'), 5100)
  })

  test('a failed answer without reported usage pays nothing', async (t) => {
    const { ask, used } = await started(t, { limits }, (call) => {
      call.sse([]).send(Buffer.concat([word(1), word(2)]))
      call.end()
    })
    assert.equal((await ask(openai.path, openai.request)).record.code, 'upstream_truncated')
    assert.equal(await used('tokens'), 0)
  })

  const failing = () => {
    throw new Error('no')
  }
  const refused = { attempts: 2, backoffMs: [0, 0] } as const

  for (const [name, given] of [
    [
      'credentials',
      {
        target: undefined,
        targets: [{ name: 'a', target: 'http://127.0.0.1:1', auth: { headers: { authorization: failing } } }],
      },
    ],
    ['a signature', { retry: refused, onAttempt: failing }],
  ] as const) {
    test(`a request that could not be sent for want of ${name} pays nothing, and is none`, async (t) => {
      const both = [{ key, tokens: 1e6, requests: 5, per: '1h' }] as const
      const { ask, provider, used } = await started(t, { limits: both }, () => {}, given as Partial<AiProxyOptions>)
      const { record } = await ask(openai.path, openai.request)
      assert.deepEqual([record.outcome, provider.calls.length], ['rejected', 0])
      assert.deepEqual([await used('tokens'), await used('requests')], [0, 0])
    })
  }

  test('a client that leaves while its request waits to be tried again pays nothing for what was refused', async (t) => {
    const both = [{ key, tokens: 1e6, requests: 5, per: '1h' }] as const
    const { app, provider, used } = await started(
      t,
      { limits: both },
      (call) => call.json(503, { error: {} }, { 'retry-after': '9' }),
      { retry: { attempts: 2 } },
    )
    const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
    await provider.next()
    await until(() => (app.proxy.stats().targets?.[0]?.failures ?? 0) > 0, 'it waits')
    client.leave()
    assert.equal((await app.record()).outcome, 'client_disconnect')
    assert.deepEqual([await used('tokens'), await used('requests')], [0, 1])
  })

  for (const [name, late] of [
    ['auth', { auth: { headers: { authorization: () => new Promise<never>(() => {}) } } }],
    ['onAttempt', {}],
  ] as const) {
    test(`a request that was never sent because ${name} did not answer pays nothing`, async (t) => {
      const limits: QuotaOptions['limits'] = [
        { key, requests: 10, per: '1h' },
        { key, tokens: 9000, per: '1h' },
      ]
      const { ask, used, provider } = await started(t, { limits }, () => {}, {
        target: undefined,
        targets: [{ name: 'one', target: 'http://127.0.0.1:9', ...late }],
        retry: { attempts: 1 },
        limits: { firstByteTimeoutMs: 30 },
        ...(name === 'onAttempt' && { onAttempt: () => new Promise<void>(() => {}) }),
      } as Partial<AiProxyOptions>)
      assert.equal((await ask(openai.path, openai.request)).status, 504)
      assert.deepEqual([await used('requests'), await used('tokens'), provider.calls.length], [0, 0, 0])
    })
  }

  for (const [how, requests, end] of [
    ['its client leaves', 1, ({ leave }) => leave()],
    ['the app aborts it', 0, ({ proxy, id }) => proxy.abort(id)],
    ['the app closes the middleware', 0, ({ proxy }) => void proxy.close({ graceMs: 0 })],
  ] as [string, number, (of: { leave(): void; proxy: AiProxy; id: string }) => unknown][]) {
    test(`a request that ends before it was sent pays nothing: ${how}`, async (t) => {
      const limits: QuotaOptions['limits'] = [
        { key, requests: 10, per: '1h' },
        { key, tokens: 9000, per: '1h' },
      ]
      let isAsked = false
      const { app, used } = await started(t, { limits }, () => {}, {
        target: undefined,
        targets: [{ name: 'one', target: 'http://127.0.0.1:9' }],
        onAttempt: () => {
          isAsked = true
          return new Promise<void>(() => {})
        },
      } as Partial<AiProxyOptions>)
      const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
      await until(() => isAsked, 'the app is asked')
      end({ leave: () => client.leave(), proxy: app.proxy, id: app.proxy.exchanges()[0]!.id })
      assert.deepEqual(
        (await app.record()).attempts.map(({ code }) => code),
        ['unprepared'],
      )
      assert.deepEqual([await used('requests'), await used('tokens')], [requests, 0])
    })
  }

  test('embeddings reserve their input, and need a price if money is limited', async (t) => {
    const answer = { model: 'embed', data: [{ embedding: [0.1] }], usage: { prompt_tokens: 8, total_tokens: 8 } }
    let held: number | undefined
    const { ask, used } = await started(t, { limits, countInput: () => 70 }, async (call) => {
      held = await used('tokens')
      call.json(200, answer)
    })
    await ask('/v1/embeddings', { model: 'embed', input: 'x' })
    assert.deepEqual([held, await used('tokens')], [70, 8])
    const money = await started(t, { limits: [{ key, cost: 1, per: '1h' }] }, (call) => call.json(200, answer), {
      prices: { other: { input: 1, output: 1 } },
    })
    assert.equal((await money.ask('/v1/embeddings', { model: 'embed', input: 'x' })).record.code, 'price_unknown')
  })

  test('several answers at once are assumed several times', async (t) => {
    let held: number | undefined
    const { ask, used } = await started(t, { limits, countInput: () => 0 }, async (call) => {
      held = await used('tokens')
      call.json(400, { error: {} })
    })
    await ask(openai.path, { ...openai.request, n: 5 })
    assert.equal(held, 5000)
  })

  test('what is learnt of several answers at once is the output of one', async (t) => {
    const held: (number | undefined)[] = []
    const { ask, used, policy } = await started(t, { limits, countInput: () => 0 }, async (call) => {
      held.push(await used('tokens'))
      const choices = [0, 1, 2, 3].map((index) => ({ index, message: { content: 'Hi' }, finish_reason: 'stop' }))
      call.json(200, { choices, usage: { prompt_tokens: 0, completion_tokens: 80, total_tokens: 80 } })
    })
    for (let count = 0; count < 10; count++) await ask(openai.path, { ...openai.request, n: 4, stream: false })
    await policy.reset(key)
    await ask(openai.path, { ...openai.request, n: 4, stream: false })
    await policy.reset(key)
    await ask(openai.path, { ...openai.request, stream: false })
    assert.deepEqual(held.slice(-2), [80, 20])
  })

  test('a rehearsal lets a model without a price pass', async (t) => {
    const { ask } = await started(
      t,
      { limits: [{ key, cost: 1, per: '1h' }], enforce: false },
      (call) => call.json(400, { error: {} }),
      { prices: { other: { input: 1, output: 1 } } },
    )
    assert.equal((await ask(openai.path, openai.request)).status, 400)
  })

  test('a calendar limit keeps what another limit of its key has allowed', async (t) => {
    const answer = { model: 'm', choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }], usage }
    let allowed = 1e6
    const { ask, used } = await started(
      t,
      { limits: () => [{ key, tokens: allowed, per: 'day' }], countInput: () => 0, assumedOutput: 1 },
      (call) => call.json(200, answer),
    )
    for (let n = 0; n < 3; n++) await ask(openai.path, { ...openai.request, stream: false })
    assert.equal(await used('tokens'), 15_300)
    allowed = 16_000
    await ask(openai.path, { ...openai.request, stream: false })
    assert.equal(await used('tokens'), 16_000)
  })
})

test('a denial ends once the request that it was about is taken back', async (t) => {
  const store = memoryStore()
  const limits = [{ key, requests: 1, per: '1h' }] as const
  let refuse!: () => void
  const second: Policy = {
    name: 'second',
    admit: () =>
      new Promise((resolve) => {
        refuse = () => resolve({ refuse: { message: 'No' } })
      }),
  }
  const policy = quota({ limits, store })
  const { app, ask } = await started(t, { limits }, (call) => call.json(200, {}), { policies: [policy, second] })
  const first = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
  while (!refuse) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await ask(openai.path, openai.request)).record.code, 'quota_exceeded')
  refuse()
  await first.sees('403')
  await app.record()
  assert.equal((await policy.status(key))[0]?.used, 0)
  const third = ask(openai.path, openai.request)
  refuse = undefined as never
  while (!refuse) await new Promise((resolve) => setImmediate(resolve))
  refuse()
  assert.equal((await third).record.code, 'policy_refused')
})

test('the first of several bounds counts, whichever policy sets it', async (t) => {
  const bound = (tokens: number): Policy => ({
    name: `until ${tokens}`,
    admit: (exchange) => exchange.watchFrom(tokens),
    progress: ({ generatedTokens }) =>
      generatedTokens > tokens ? { code: 'quota_exceeded', message: 'Enough' } : undefined,
  })
  for (const policies of [
    [bound(20), bound(5_000_000)],
    [bound(5_000_000), bound(20)],
  ]) {
    const provider = await startProvider(t, {
      onCall: (call) => void call.sse([]).send(Buffer.concat(Array.from({ length: 400 }, (_, at) => word(at)))),
    })
    const app = await startApp(t, { target: provider.url, policies })
    const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
    await client.sees('"code":"quota_exceeded"')
    assert.ok(((await app.record()).usage?.outputTokens ?? 0) <= 25)
  }
})

test('closing one middleware leaves the leases of another that shares the quota', async (t) => {
  const memory = memoryStore()
  let renewals = 0
  const store = {
    reserve: memory.reserve.bind(memory),
    settle: memory.settle.bind(memory),
    renew: (...args: Parameters<typeof memory.renew>) => {
      renewals++
      return memory.renew(...args)
    },
    read: memory.read.bind(memory),
    reset: memory.reset.bind(memory),
  }
  const policy = quota({ limits: [{ key, concurrent: 1 }], store, leaseMs: 60 })
  const { app, provider } = await started(t, { limits: [] }, () => {}, { policies: [policy] })
  ;(await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
  await provider.next()
  const other = aiProxy({ target: provider.url, policies: [policy] })
  await other.close()
  const before = renewals
  while (renewals < before + 2) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await policy.status(key))[0]?.used, 1)
})

describe('keys of the app', () => {
  test('stay here in the query, too, and if the app hands the headers on in an object of its own', async (t) => {
    const { key: secret, hash } = newKey()
    const keys = hashedKeys({ [hash]: 'ada' })
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, {
      target: provider.url,
      identify: ({ headers }) => keys({ headers }),
      forwardHeaders: () => true,
      forwardCredentials: true,
    })
    const headers = { authorization: `bearer ${secret}` }
    const encoded = [...secret].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')
    for (const query of [`key=${secret}`, `other=${secret}`, `x=${encoded}`, `${secret}=1`]) {
      const response = await post(`${app.url}${openai.path}?${query}&alt=1`, openai.request, { headers })
      await response.text()
      assert.equal(response.status, 200)
    }
    for (const { req } of provider.calls) {
      const seen = `${decodeURIComponent(req.url ?? '')} ${req.rawHeaders}`
      assert.ok(!seen.includes(secret), seen)
      assert.match(req.url ?? '', /alt=1/)
    }
  })
})

test('answers that a client did not wait for say nothing of how long answers are', async (t) => {
  const limits = [{ key, tokens: 1_000_000, per: '1h' }] as const
  const held: (number | undefined)[] = []
  const { app, used } = await started(t, { limits, countInput: () => 0 }, async (call) => {
    held.push(await used('tokens'))
    call.sse([String(word(0))])
  })
  for (let at = 0; at < 12; at++) {
    const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
    await client.sees('word0')
    client.leave()
    assert.equal((await app.record()).outcome, 'client_disconnect')
  }
  assert.ok((held.at(-1) ?? 0) >= 1000, `${held.at(-1)} held`)
})

describe('a user who taught the assumed output low values, and asks for six long answers at once', () => {
  const plain = { ...openai.request, stream: false }
  const longest = 500

  /** Returns how many of them pass, and what the user has used in the end. */
  async function taught(t: TestContext, limits: QuotaOptions['limits'], given: Partial<AiProxyOptions> = {}) {
    let isTaught = false
    const held: Call[] = []
    const answer = (length: number) => ({
      model: 'm',
      choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 0, completion_tokens: length, total_tokens: length },
    })
    const { ask, used } = await started(
      t,
      { limits, countInput: () => 0 },
      (call) => (isTaught ? held.push(call) : call.json(200, answer(1))),
      given,
    )
    for (let at = 0; at < 12; at++) assert.equal((await ask(openai.path, plain)).status, 200)
    isTaught = true
    let refused = 0
    const asked = Array.from({ length: 6 }, async () => {
      const { status } = await ask(openai.path, plain)
      if (status === 429) refused++
    })
    await until(() => held.length + refused === 6, 'each is under way or refused')
    const passed = held.length
    for (const call of held) call.json(200, answer(longest))
    await Promise.all(asked)
    return [passed, await used('tokens')]
  }
  const tokens = { key, tokens: 1100, per: '1h' } as const

  test('overspends by as many of them as may run at once', async (t) => {
    assert.deepEqual(await taught(t, [tokens, { key, concurrent: 3 }]), [3, 12 + 3 * longest])
  })

  test('overspends nothing if a maximum is reserved', async (t) => {
    const capped = { modelOptions: { overrides: { maxOutputTokens: longest } } }
    assert.deepEqual(await taught(t, [tokens], capped), [2, 12 + 2 * longest])
  })
})
