import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions, BalanceFunction, TargetOptions } from '../../../lib/index.js'
import { type App, startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, type Owner, type Provider, startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'
import { answer, KEYS, refuse, startPair } from '../support/targets.js'
import { within } from '../support/waiting.js'

/** An app with targets of these names, all of which are one provider. */
async function startApps(
  t: Owner,
  targets: Readonly<Record<string, Partial<TargetOptions>>>,
  options: Partial<AiProxyOptions> = {},
  onCall: ((call: Call) => unknown) | undefined = answer,
): Promise<{ provider: Provider; app: App }> {
  const provider = await startProvider(t, { onCall })
  const app = await startApp(t, {
    targets: Object.entries(targets).map(([name, own]) => ({ name, target: provider.url, ...own })),
    ...options,
  })
  return { provider, app }
}

/** The name of the target that serves a request. */
async function servedBy(app: App, body: object = {}): Promise<string | undefined> {
  await (await within(post(app.url + openai.path, { ...openai.request, ...body }), 'the answer')).text()
  return (await app.record()).target
}

async function timesServed(app: App, requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let at = 0; at < requests; at++) {
    const name = String(await servedBy(app))
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

describe('targets of one priority share the requests', () => {
  test('by their weights', async (t) => {
    const { app } = await startApps(t, { a: { weight: 3 }, b: {} })
    assert.deepEqual(await timesServed(app, 12), { a: 9, b: 3 })
  })

  test('and those of a later priority get none', async (t) => {
    const { app } = await startApps(t, { late: { priority: 2 }, a: { priority: 1 } })
    assert.deepEqual(await timesServed(app, 4), { a: 4 })
  })

  test('and those that cool get none, until the operator ends it', async (t) => {
    const { app } = await startApps(t, { a: {}, b: {} })
    app.proxy.cool('a', 60_000)
    assert.equal(app.proxy.stats().targets[0]?.coolingBecause, 'operator')
    assert.ok(app.proxy.stats().targets[0]!.coolingUntil! > Date.now())
    assert.deepEqual(await timesServed(app, 3), { b: 3 })
    app.proxy.warm('a')
    assert.equal(app.proxy.stats().targets[0]?.coolingUntil, undefined)
    assert.deepEqual(Object.keys(await timesServed(app, 2)).sort(), ['a', 'b'])
    assert.throws(() => app.proxy.cool('c', 1), /takes the name of a target \(a, b\)/)
  })

  test('by those under way with `least-busy`', async (t) => {
    const { app, provider } = await startApps(t, { a: {}, b: {} }, { balance: 'least-busy' }, () => {})
    const calls: Call[] = []
    const responses = [1, 2, 3, 4].map(async () => {
      const response = post(app.url + openai.path, openai.request)
      return (await response).text()
    })
    for (const _ of responses) calls.push(await provider.next())
    assert.deepEqual(
      app.proxy.stats().targets.map(({ inFlight }) => inFlight),
      [2, 2],
    )
    for (const call of calls) answer(call)
    await Promise.all(responses)
    const stats = app.proxy.stats().targets
    assert.deepEqual(
      stats.map(({ inFlight, attempts, failures }) => [inFlight, attempts, failures]),
      [
        [0, 2, 0],
        [0, 2, 0],
      ],
    )
  })

  test('with `fastest`, first those without a sample', async (t) => {
    const { app } = await startApps(t, { a: {}, b: {}, c: {} }, { balance: 'fastest' })
    assert.deepEqual(await timesServed(app, 3), { a: 1, b: 1, c: 1 })
    assert.deepEqual(
      app.proxy.stats().targets.map(({ samples, firstTokenMs }) => [samples, firstTokenMs! >= 0]),
      [
        [1, true],
        [1, true],
        [1, true],
      ],
    )
  })
})

describe('a full target is passed over', () => {
  test('and if all are full, the request is refused with the time to come back', async (t) => {
    const { app, provider } = await startApps(
      t,
      { a: { maxConcurrent: 1 }, b: { maxConcurrent: 1, priority: 1 } },
      {},
      (call) => call.sse([openai.events[0]]),
    )
    const open = [await post(app.url + openai.path, openai.request), await post(app.url + openai.path, openai.request)]
    const inFlight = () => app.proxy.stats().targets.map((each) => each.inFlight)
    assert.deepEqual(inFlight(), [1, 1])
    const refused = await post(app.url + openai.path, openai.request)
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
    const { code, message } = openai.errorIn(await refused.json())
    assert.deepEqual([code, message], ['no_target', 'Every provider for this request is busy'])
    assert.deepEqual((await app.record()).attempts, [])
    provider.calls[0]!.end(openai.terminator)
    await open[0]!.text()
    await app.record()
    const next = await post(app.url + openai.path, openai.request)
    assert.deepEqual(inFlight(), [1, 1])
    for (const call of provider.calls) call.end(openai.terminator)
    await Promise.all([open[1]!.text(), next.text()])
  })
})

describe('if all targets cool', () => {
  const cooled = async (t: Owner, whenAllCooling?: 'try' | 'refuse') => {
    const { app } = await startApps(t, { a: {}, b: {} }, whenAllCooling ? { whenAllCooling } : {})
    app.proxy.cool('a', 90_000)
    app.proxy.cool('b', 30_000)
    return app
  }

  test('the one is asked that cools least long', async (t) => {
    assert.equal(await servedBy(await cooled(t)), 'b')
  })

  test('the request is refused with `refuse`, and the time to come back', async (t) => {
    const app = await cooled(t, 'refuse')
    const response = await post(app.url + openai.path, openai.request)
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '30'])
    assert.equal(openai.errorIn(await response.json()).code, 'no_target')
    assert.equal((await app.record()).outcome, 'rejected')
  })
})

describe('a balance function', () => {
  test('gets the candidates and the exchange, and orders them', async (t) => {
    const seen: unknown[] = []
    const balance: BalanceFunction = (candidates, { format, model, stream, subject }, stickyKey) => {
      seen.push(candidates, { format, model, stream, tenant: subject?.tenant, stickyKey })
      return [...candidates].reverse()
    }
    const identify = () => ({ id: 'u', tenant: 't' })
    const { app } = await startApps(t, { a: { weight: 2 }, b: {} }, { balance, identify })
    assert.equal(await servedBy(app), 'b')
    const idle = { priority: 0, inFlight: 0, firstTokenMs: undefined }
    assert.deepEqual(seen, [
      [
        { name: 'a', weight: 2, ...idle },
        { name: 'b', weight: 1, ...idle },
      ],
      {
        format: 'openai-chat',
        model: 'gpt-test',
        stream: true,
        tenant: 't',
        stickyKey: undefined,
      },
    ])
  })

  for (const [what, balance] of [
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
    ],
    ['returns nothing', () => undefined],
    ['returns a promise', async () => ['b']],
    ['names a target that is no candidate', () => ['b', 'c']],
    ['names a target twice', () => ['b', 'b']],
  ] as const) {
    test(`that ${what} is reported, and the weights decide`, async (t) => {
      const reported: unknown[] = []
      const { app } = await startApps(
        t,
        { a: {}, b: { priority: 1 } },
        {
          balance: balance as never,
          onError: (error, { hook, exchange }) => void reported.push(hook, error, exchange?.model),
          warnings: false,
        },
      )
      assert.equal(await servedBy(app), 'a')
      assert.ok(reported.some((each) => each instanceof Error))
      assert.deepEqual([reported[0], reported[2]], ['balance', 'gpt-test'])
    })
  }

  test('that leaves a target out keeps it from being asked, also after a failure', async (t) => {
    const { app, provider } = await startApps(
      t,
      { a: {}, b: {} },
      { balance: () => ['a'], retry: { backoffMs: [0, 0] } },
      refuse(500),
    )
    await (await post(app.url + openai.path, openai.request)).text()
    const { attempts } = await app.record()
    assert.deepEqual([attempts.map(({ target }) => target), provider.calls.length], [['a', 'a'], 2])
  })

  test('that leaves all out refuses the request', async (t) => {
    const { app } = await startApps(t, { a: {}, b: {} }, { balance: () => [] })
    const response = await post(app.url + openai.path, openai.request)
    assert.deepEqual([response.status, openai.errorIn(await response.json()).code], [503, 'no_target'])
  })
})

describe('requests of one key go to one target', () => {
  const four = { a: {}, b: {}, c: {}, d: {} }
  const system = (content: string) => ({
    messages: [
      { role: 'system', content },
      { role: 'user', content: 'Hi' },
    ],
  })

  for (const [what, bodyOf] of [
    ['`prompt_cache_key`', (key: string, at: number) => ({ prompt_cache_key: key, user: `u${at}` })],
    ['`metadata.user_id`', (key: string, at: number) => ({ metadata: { user_id: key }, seed: at })],
    ['the beginning of a conversation', (key: string, at: number) => ({ ...system(key), temperature: at })],
  ] as const) {
    test(`by ${what}`, async (t) => {
      const { app } = await startApps(t, four, { sticky: {} })
      const homes = new Set<string>()
      for (const key of ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8']) {
        const home = await servedBy(app, bodyOf(key, 0))
        homes.add(String(home))
        for (let at = 1; at < 3; at++) assert.equal(await servedBy(app, bodyOf(key, at)), home)
      }
      assert.ok(homes.size > 1, 'all keys went to one target')
    })
  }

  test('by a key of the app', async (t) => {
    const { app } = await startApps(t, four, { sticky: { key: (_, { req }) => req.get('x-tenant') } })
    const servedTo = async (tenant: string) => {
      await (await post(app.url + openai.path, openai.request, { headers: { 'x-tenant': tenant } })).text()
      return (await app.record()).target
    }
    const home = await servedTo('t1')
    for (let at = 0; at < 4; at++) assert.equal(await servedTo('t1'), home)
  })

  test('and move if it cools, and stay where they moved', async (t) => {
    const { app } = await startApps(t, four, { sticky: {} })
    const body = { prompt_cache_key: 'k1' }
    const home = String(await servedBy(app, body))
    app.proxy.cool(home, 60_000)
    const other = await servedBy(app, body)
    assert.notEqual(other, home)
    app.proxy.warm(home)
    // Its prompt cache is there now.
    assert.equal(await servedBy(app, body), other)
  })

  test('and come back if nothing was asked for `ttlMs`', async (t) => {
    // Any time is longer.
    const { app } = await startApps(t, four, { sticky: { ttlMs: Number.MIN_VALUE } })
    const body = { prompt_cache_key: 'k1' }
    const home = String(await servedBy(app, body))
    app.proxy.cool(home, 60_000)
    assert.notEqual(await servedBy(app, body), home)
    app.proxy.warm(home)
    assert.equal(await servedBy(app, body), home)
  })

  test('and a response is continued where it was made, also without `sticky`', async (t) => {
    let made = 0
    const frames = (id: string) =>
      streams.responses.frames.map((frame) => Buffer.from(String(frame).replaceAll('resp-1', id)))
    const { app } = await startApps(t, four, {}, (call) =>
      sendStream(call, streams.responses, frames(`resp-${made++}`)).end(),
    )
    const ask = async (body: object) => {
      await (await post(app.url + streams.responses.path, { ...streams.responses.request, ...body })).text()
      return app.record()
    }
    const first = await ask({})
    for (let at = 0; at < 3; at++) {
      const next = await ask({ previous_response_id: first.responseId })
      assert.equal(next.target, first.target)
    }
    // To read it, to read its input, to cancel and to delete it.
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '?stream=true'],
      ['GET', '/input_items'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const) {
      for (let at = 0; at < 2; at++) {
        const url = `${app.url}${streams.responses.path}/${first.responseId}${end}`
        await (await fetch(url, { method })).text()
        assert.equal((await app.record()).target, first.target, `${method} ${end}`)
      }
    }
    app.proxy.cool(first.target!, 60_000)
    // Only its maker knows it.
    assert.equal((await ask({ previous_response_id: first.responseId })).target, first.target)
  })

  test('and a response is read where it is made, while it is written and after it broke off', async (t) => {
    const head = streams.responses.frames.slice(0, 3)
    const { app, provider } = await startApps(t, four, {}, (call) => {
      if (call.req.method !== 'POST') return call.json(200, { id: 'resp-1', object: 'response' })
      return sendStream(call, streams.responses, head)
    })
    const url = app.url + streams.responses.path
    const readers = async () => {
      const targets: unknown[] = []
      for (let at = 0; at < 3; at++) {
        await (await fetch(`${url}/resp-1`)).text()
        targets.push((await app.record()).target)
      }
      return targets
    }
    const response = await post(url, streams.responses.request)
    await response.body!.getReader().read()
    const during = await readers()
    provider.calls.find(({ req }) => req.method === 'POST')!.res.destroy()
    const { target, outcome } = await app.record()
    assert.equal(outcome, 'upstream_error')
    assert.deepEqual(during, [target, target, target])
    assert.deepEqual(await readers(), during)
  })

  test('and a conversation goes on where it was made, also without `sticky`', async (t) => {
    let made = 0
    const endpoints = ['POST **/conversations', 'POST **/responses', /\/conversations\//]
    const { app } = await startApps(t, four, { endpoints }, (call) =>
      call.json(200, call.req.url?.endsWith('/conversations') ? { id: `conv_${made++}` } : { id: 'other', output: [] }),
    )
    const targetOf = async (path: string, body?: object) => {
      const url = `${app.url}/v1/${path}`
      await (await (body ? post(url, body) : fetch(url))).text()
      return (await app.record()).target
    }
    for (let at = 0; at < 4; at++) {
      const maker = await targetOf('conversations', {})
      const id = `conv_${at}`
      const request = { model: 'gpt-test', input: 'Hello' }
      assert.equal(await targetOf('responses', { ...request, conversation: id }), maker)
      assert.equal(await targetOf('responses', { ...request, conversation: { id } }), maker)
      assert.equal(await targetOf(`conversations/${id}`), maker)
      assert.equal(await targetOf(`conversations/${id}/items`, { items: [] }), maker)
    }
  })

  test('and a response that is not known here is looked for at one target, whichever process is asked', async (t) => {
    const ask = async (app: App, id: string) => {
      await (
        await post(`${app.url}/v1/responses`, { model: 'gpt-test', input: 'Hello', previous_response_id: id })
      ).text()
      return (await app.record()).target
    }
    const onCall = (call: Call) => call.json(404, { error: { message: 'no such response' } })
    const [{ app }, { app: other }] = [await startApps(t, four, {}, onCall), await startApps(t, four, {}, onCall)]
    const seen = new Set<string | undefined>()
    for (let at = 0; at < 12; at++) {
      const target = await ask(app, `resp_${at}`)
      seen.add(target)
      assert.equal(await ask(app, `resp_${at}`), target)
      assert.equal(await ask(other, `resp_${at}`), target)
    }
    assert.ok(seen.size > 1)
  })

  test('and a response is continued where it was made if its id is as long as those of gateways', async (t) => {
    let made = 0
    const frames = (id: string) =>
      streams.responses.frames.map((frame) => Buffer.from(String(frame).replaceAll('resp-1', id)))
    const { app } = await startApps(t, four, {}, (call) =>
      sendStream(call, streams.responses, frames(`resp-${'x'.repeat(400)}${made++}`)).end(),
    )
    const ask = async (body: object) => {
      await (await post(app.url + streams.responses.path, { ...streams.responses.request, ...body })).text()
      return app.record()
    }
    const first = await ask({})
    for (let at = 0; at < 3; at++) {
      assert.equal((await ask({ previous_response_id: first.responseId })).target, first.target)
    }
  })
})

test('a small JSON answer is parsed once, although it is inspected before it passes', async (t) => {
  const body = {
    id: 'c1',
    model: 'gpt-test',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
  }
  const { app } = await startApps(t, { a: {}, b: {} }, {}, (call) => call.json(200, body))
  const parse = t.mock.method(JSON, 'parse')
  const response = await post(app.url + openai.path, { ...openai.request, stream: false })
  assert.equal(await response.text(), JSON.stringify(body))
  const { usage } = await app.record()
  assert.deepEqual(usage, { inputTokens: 9, outputTokens: 2, totalTokens: 11, estimated: false })
  const times = parse.mock.calls.filter(({ arguments: [text] }) => String(text).includes('"c1"')).length
  assert.equal(times, 1)
})

test('a key within a JSON answer is in no record, although the answer is inspected before it passes', async (t) => {
  const body = (key: string) => ({
    id: key,
    model: `gpt of ${key}`,
    choices: [{ index: 0, message: { role: 'assistant', content: `Hello, ${key}` }, finish_reason: 'stop' }],
  })
  for (const size of [0, 20_000]) {
    const sent = (key: string) => ({ ...body(key), error: null, padding: 'x'.repeat(size) })
    const { app } = await startPair(t, (call) => call.json(200, sent(KEYS.a)))
    const response = await post(app.url + openai.path, { ...openai.request, stream: false })
    const masked = '*'.repeat(KEYS.a.length)
    assert.deepEqual(await response.json(), sent(masked))
    const record = await app.record()
    assert.deepEqual([record.target, record.responseId, record.responseModel], ['a', masked, `gpt of ${masked}`])
    assert.doesNotMatch(JSON.stringify(record), new RegExp(KEYS.a))
  }
})

test('an answer whose head reports its tokens is one, whatever the model names its text', async (t) => {
  const head = { 'x-amzn-bedrock-input-token-count': '5', 'x-amzn-bedrock-output-token-count': '6' }
  const body = { description: 'A long walk home' }
  const { app, b } = await startPair(t, (call) => call.json(200, body, head))
  const response = await post(`${app.url}/model/m/invoke`, { prompt: 'Describe it' })
  assert.deepEqual(await response.json(), body)
  const { outcome, target, usage } = await app.record()
  assert.deepEqual([outcome, target, b.calls.length], ['completed', 'a', 0])
  assert.deepEqual(usage, { inputTokens: 5, outputTokens: 6, estimated: false })
})
