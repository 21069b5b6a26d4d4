import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import { Registry } from 'prom-client'
import type { Admission, AiProxyOptions, ExchangeRecord, Policy, PolicyExchange } from '../../lib/index.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { samplesOf } from '../metrics/support/scrape.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { beforeTheEnd, chatChunk, sendStream, sseEvent, streams } from './support/streams.js'
import { until } from './support/waiting.js'

const { path, request, events, terminator } = openai

/** A policy that notes what it is asked and told. */
function noted(name: string, policy: Partial<Policy> = {}) {
  const calls: string[] = []
  const records: ExchangeRecord[] = []
  const whole: Policy = {
    name,
    admit(exchange) {
      calls.push('admit')
      return policy.admit?.(exchange)
    },
    settle(record, exchange) {
      calls.push('settle')
      records.push(record)
      return policy.settle?.(record, exchange)
    },
    ...(policy.progress && { progress: policy.progress }),
    ...(policy.close && { close: policy.close }),
  }
  return { policy: whole, calls, records }
}

/** Events with a word each. */
function wordEvents(count: number): Buffer[] {
  return Array.from({ length: count }, (_, at) =>
    chatChunk([{ index: 0, delta: { content: ` word${at}` }, finish_reason: null }]),
  )
}

async function started(t: TestContext, policies: readonly Policy[], given: Partial<AiProxyOptions> = {}) {
  t.mock.method(process, 'emitWarning', () => {})
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const errors: string[] = []
  const onError: AiProxyOptions['onError'] = (error, { hook }) =>
    void errors.push(`${hook}: ${(error as Error).message}`)
  const app = await startApp(t, { target: provider.url, policies, onError, ...given })
  const ask = async (body: object = request, at = path) => {
    const response = await post(app.url + at, body)
    return { response, status: response.status, text: await response.text(), record: await app.record() }
  }
  return { provider, app, errors, ask }
}

describe('policies', () => {
  test('are asked in their order, and each learns once how the exchange ended', async (t) => {
    const order: string[] = []
    const note = (name: string) =>
      noted(name, { admit: () => void order.push(`admit ${name}`), settle: () => void order.push(`settle ${name}`) })
    const [first, second] = [note('first'), note('second')]
    const { ask } = await started(t, [first.policy, second.policy])
    const { status, record } = await ask()
    assert.equal(status, 200)
    assert.deepEqual(order, ['admit first', 'admit second', 'settle first', 'settle second'])
    assert.equal(first.records[0], record)
  })

  test('see the request as it will go out', async (t) => {
    const seen: Partial<PolicyExchange>[] = []
    const { policy } = noted('watcher', {
      admit({ subject, model, stream, body, requestBytes, generates, maxOutputTokens }) {
        seen.push({ subject, model, stream, body, requestBytes, generates, maxOutputTokens } as Partial<PolicyExchange>)
      },
    })
    const { ask } = await started(t, [policy], {
      identify: () => ({ id: 'ada', tenant: 'acme' }),
      modelOptions: { overrides: { temperature: 0 } },
      limits: { maxOutputTokens: 5000 },
    })
    const sent = { ...request, max_completion_tokens: 700, n: 3 }
    await ask(sent)
    const [{ subject, body, requestBytes, ...others }] = seen as [Partial<PolicyExchange>]
    assert.deepEqual(others, { model: 'gpt-test', stream: true, generates: true, maxOutputTokens: 2100 })
    assert.deepEqual([subject?.id, subject?.tenant], ['ada', 'acme'])
    assert.equal((body as { temperature: number }).temperature, 0)
    assert.ok((requestBytes ?? 0) > JSON.stringify(sent).length)
    await ask({ ...request, max_tokens: 9000 })
    assert.equal(seen[1]?.maxOutputTokens, 5000)
  })

  test('that refuse answer in the client’s protocol, and later ones are not asked', async (t) => {
    const refuse = { code: 'x_too_late' as const, status: 429, message: 'Not now', headers: { 'Retry-After': '7' } }
    const [first, second, third] = [noted('a'), noted('b', { admit: () => ({ refuse }) }), noted('c')]
    const { ask, provider } = await started(t, [first.policy, second.policy, third.policy])
    const { status, response, text, record } = await ask()
    assert.deepEqual([status, record.code, record.outcome, provider.calls.length], [429, 'x_too_late', 'rejected', 0])
    assert.equal(response.headers.get('retry-after'), '7')
    assert.deepEqual(JSON.parse(text).error, {
      message: 'Not now',
      type: 'rate_limit_error',
      code: 'x_too_late',
      param: null,
    })
    assert.deepEqual([first.calls, second.calls, third.calls], [['admit', 'settle'], ['admit', 'settle'], []])
  })

  test('give headers to the answer, which win over those of the provider', async (t) => {
    const headers = { 'X-RateLimit-Remaining-Requests': '3' }
    const { policy } = noted('limits', { admit: async () => ({ headers }) })
    const provider = await startProvider(t, {
      onCall: (call) => call.sse(events, { 'x-ratelimit-remaining-requests': '9000' }).end(terminator),
    })
    const { ask } = await started(t, [policy], { target: provider.url })
    const { status, response } = await ask()
    assert.deepEqual([status, response.headers.get('x-ratelimit-remaining-requests')], [200, '3'])
  })

  for (const [name, admit] of [
    [
      'throws',
      () => {
        throw new Error('no store')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no store'))],
    ['returns text', () => 'yes' as never],
    ['refuses without a message', () => ({ refuse: {} as never })],
    ['refuses with an unknown code', () => ({ refuse: { code: 'nope' as never, message: 'No' } })],
    ['refuses with a status of success', () => ({ refuse: { status: 200, message: 'No' } })],
    ['watches from no number', (exchange: PolicyExchange) => exchange.watchFrom(0.9 * exchange.maxOutputTokens!)],
    ['gives a header that cannot be sent', () => ({ headers: { 'x-a': 'line\nbreak' } })],
    ['says how a body is compressed that is not its own', () => ({ headers: { 'Content-Encoding': 'gzip' } })],
    [
      'says that its refusal is a page',
      () => ({ refuse: { message: 'No', headers: { 'content-type': 'text/html' } } }),
    ],
  ] as const satisfies [string, (exchange: PolicyExchange) => Admission | Promise<Admission>][]) {
    test(`one that ${name} refuses the request with policy_failed, and learns its end`, async (t) => {
      const broken = noted('broken', { admit })
      const before = noted('before')
      const { ask, errors, provider } = await started(t, [before.policy, broken.policy])
      const { status, text, record } = await ask()
      assert.deepEqual([status, record.code, provider.calls.length, errors.length], [500, 'policy_failed', 0, 1])
      assert.match(errors[0]!, /^policies: /)
      assert.doesNotMatch(text, /no store/)
      assert.deepEqual(
        [before.calls, broken.calls],
        [
          ['admit', 'settle'],
          ['admit', 'settle'],
        ],
      )
    })
  }

  test('one that throws at the end is reported, and the others still learn the end', async (t) => {
    const fail = () => Promise.reject(new Error('no store'))
    const [first, second] = [noted('a', { settle: fail }), noted('b')]
    const { ask, errors } = await started(t, [first.policy, second.policy])
    assert.equal((await ask()).status, 200)
    assert.deepEqual([second.calls, errors], [['admit', 'settle'], ['policies: no store']])
  })

  test('a client that leaves while one makes it wait ends the wait, and nothing goes out', async (t) => {
    let entered!: () => void
    const hasEntered = new Promise<void>((resolve) => {
      entered = resolve
    })
    let settled!: () => void
    const hasSettled = new Promise<void>((resolve) => {
      settled = resolve
    })
    const order: string[] = []
    const { policy } = noted('slow', {
      admit: ({ signal }) =>
        new Promise((_, reject) => {
          entered()
          signal.addEventListener('abort', () => {
            order.push('aborted')
            reject(signal.reason)
          })
        }),
      settle: () => {
        order.push('settled')
        settled()
      },
    })
    const behind = noted('behind')
    const { app, provider, errors } = await started(t, [policy, behind.policy])
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    await hasEntered
    client.leave()
    const record = await app.record()
    await hasSettled
    assert.deepEqual([record.outcome, provider.calls.length, behind.calls, errors], ['client_disconnect', 0, [], []])
    assert.deepEqual(order, ['aborted', 'settled'])
  })

  test('a wait opens the stream if heartbeats go out before the first byte; a refusal is then an event', async (t) => {
    let refuse!: (admission: Admission) => void
    const { policy } = noted('queue', {
      admit: (exchange) => {
        exchange.keepsWaiting()
        return new Promise<Admission>((resolve) => {
          refuse = resolve
        })
      },
    })
    const { app } = await started(t, [policy], { heartbeat: { everyMs: 20, beforeFirstByte: true } })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    await client.sees('200 OK')
    await client.sees(':')
    refuse({ refuse: { code: 'queue_timeout', message: 'It took too long' } })
    await client.sees('"code":"queue_timeout"')
    const record = await app.record()
    assert.deepEqual([record.code, record.status, record.outcome], ['queue_timeout', 200, 'limit_exceeded'])
  })

  test('watch a stream, and end it with an error event', async (t) => {
    const seen: number[] = []
    const { policy, calls } = noted('watcher', {
      progress(exchange) {
        seen.push(exchange.generatedTokens)
        return exchange.generatedTokens > 5 ? { code: 'quota_exceeded', message: 'Enough' } : undefined
      },
    })
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, policies: [policy] })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = sendStream(await provider.next(), streams.chat, beforeTheEnd(streams.chat))
    await client.sees('"code":"quota_exceeded"')
    await call.gone
    const record = await app.record()
    assert.deepEqual([record.code, record.outcome, calls.at(-1)], ['quota_exceeded', 'limit_exceeded', 'settle'])
    assert.ok(seen.length > 0)
  })

  test('watch no answer that is not a stream: all of it has been generated', async (t) => {
    let calls = 0
    const { policy } = noted('watcher', {
      progress() {
        calls++
        return { code: 'quota_exceeded', message: 'Enough' }
      },
    })
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, policies: [policy] })
    const client = (await connect(t, app.port)).post(`/ai${path}`, { ...request, stream: false })
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' })
    for (const part of ['{"data":[1', ',2', ',3', ',4']) {
      call.send(part)
      await client.sees(part)
    }
    call.end(']}')
    await client.sees(']}')
    assert.deepEqual([(await app.record()).outcome, calls], ['completed', 0])
  })

  describe('near a bound', () => {
    /** Starts an app with a policy that ends a stream after 20 tokens, and asks for one. */
    async function bounded(t: TestContext) {
      const { policy } = noted('bound', {
        admit: (exchange) => exchange.watchFrom(20),
        progress: ({ generatedTokens }) =>
          generatedTokens > 20 ? { code: 'quota_exceeded', message: 'Enough' } : undefined,
      })
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, policies: [policy] })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      return { app, client, call: await provider.next() }
    }

    test('check each event before the next goes out, in one burst, too', async (t) => {
      const { app, client, call } = await bounded(t)
      call.sse([]).send(Buffer.concat(wordEvents(500)))
      await client.sees('"code":"quota_exceeded"')
      const { usage, events: passed } = await app.record()
      assert.ok((usage?.outputTokens ?? 0) > 20 && (usage?.outputTokens ?? 0) <= 25, `${usage?.outputTokens} tokens`)
      assert.ok(client.text.match(/word\d+/g)!.length < 20, `${passed} events`)
    })

    test('check each event that comes together with the end of a large one', async (t) => {
      const { client, call } = await bounded(t)
      const large = chatChunk([
        { index: 0, delta: { content: ' large' }, finish_reason: null, padding: 'x'.repeat(900_000) },
      ])
      call.sse([]).send(large.subarray(0, -2000))
      for (let round = 0; round < 20; round++) await nextRound()
      call.send(Buffer.concat([large.subarray(-2000), ...wordEvents(500)]))
      await client.sees('"code":"quota_exceeded"')
      assert.ok((client.text.match(/word\d+/g)?.length ?? 0) < 20)
    })
  })

  test('do not end a stream whose end has come, whatever it reports then', async (t) => {
    const asked: number[] = []
    const { policy } = noted('strict', {
      admit: (exchange) => exchange.watchFrom(1),
      progress(exchange) {
        asked.push(exchange.generatedTokens)
        return exchange.generatedTokens > 100 ? { code: 'quota_exceeded', message: 'Enough' } : undefined
      },
    })
    const figures = sseEvent({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 500, total_tokens: 501 } })
    const stop = chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }])
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, policies: [policy] })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = (await provider.next()).sse([]).send(Buffer.concat([...wordEvents(3), stop]))
    await client.sees('"stop"')
    call.send(figures)
    await until(() => asked.includes(500), 'the policy has seen the figures')
    call.end('data: [DONE]\n\n')
    await client.sees('[DONE]')
    assert.equal((await app.record()).outcome, 'completed')
  })

  describe('that pause a stream', () => {
    const burst = wordEvents(60)
    const ending = Buffer.concat([
      chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
      Buffer.from('data: [DONE]\n\n'),
    ])

    /** Starts an app with a policy that pauses each stream once, after 20 tokens. */
    async function paused(t: TestContext, given: Partial<AiProxyOptions> = {}) {
      let resume: (() => void) | undefined
      let isEnough = false
      const { policy, calls } = noted('pausing', {
        admit: (exchange) => exchange.watchFrom(20),
        progress(exchange) {
          if (exchange.generatedTokens > 20) resume ??= exchange.pause()
          return isEnough ? { code: 'quota_exceeded', message: 'Enough' } : undefined
        },
      })
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, policies: [policy], ...given })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      const call = await provider.next()
      call.sse([]).send(Buffer.concat(burst))
      await until(() => resume !== undefined, 'it is paused')
      for (let round = 0; round < 5; round++) await nextRound()
      const words = () => client.text.match(/word\d+/g)?.length ?? 0
      const goOn = () => {
        resume!()
        // A second call has no effect.
        resume!()
      }
      return { app, provider, call, client, calls, words, goOn, end: () => (isEnough = true) }
    }

    test('hold back each event after the one that they have seen, and lose none', async (t) => {
      const { app, call, client, words, goOn } = await paused(t)
      await client.sees('word')
      const before = words()
      assert.ok(before < 20, `${before} words`)
      call.end(ending)
      for (let round = 0; round < 5; round++) await nextRound()
      assert.equal(words(), before)
      goOn()
      await client.sees('[DONE]')
      assert.deepEqual([words(), (await app.record()).outcome], [60, 'completed'])
      assert.deepEqual(
        client.text.match(/word\d+/g),
        Array.from({ length: 60 }, (_, at) => `word${at}`),
      )
    })

    test('may do so between its events, too', async (t) => {
      let seen: PolicyExchange | undefined
      const { policy } = noted('pausing', {
        progress(exchange) {
          seen = exchange
          return undefined
        },
      })
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, policies: [policy] })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      const call = (await provider.next()).sse(['data: {"a":1}\n\n'])
      await client.sees('{"a":1}')
      const resume = seen!.pause()
      call.send('data: {"b":2}\n\n')
      // What is sent later, and read, has come through meanwhile.
      const other = post(app.url + path, request)
      ;(await provider.next()).sse([]).end(terminator)
      assert.match(await (await other).text(), /DONE/)
      assert.doesNotMatch(client.text, /"b"/)
      resume()
      await client.sees('{"b":2}')
      call.end(terminator)
      await client.sees('[DONE]')
    })

    test('hear of an end that comes meanwhile', async (t) => {
      const { app, call, client, words, goOn } = await paused(t)
      // It ends without a last message: nothing but the end of its body says so.
      call.end()
      for (let round = 0; round < 5; round++) await nextRound()
      goOn()
      await client.sees('"code":"upstream_truncated"')
      assert.deepEqual([words(), (await app.record()).code], [60, 'upstream_truncated'])
    })

    test('may end it there, and nothing more goes out', async (t) => {
      const { app, call, client, words, goOn, end } = await paused(t)
      await client.sees('word')
      const before = words()
      end()
      goOn()
      await client.sees('"code":"quota_exceeded"')
      await call.gone
      assert.deepEqual([words(), (await app.record()).code], [before, 'quota_exceeded'])
    })

    test('do not make it time out', async (t) => {
      const { app, provider, call, client, goOn, words } = await paused(t, {
        limits: { idleTimeoutMs: 60, progressTimeoutMs: 60 },
      })
      // One that is silent from now on does time out.
      const other = post(app.url + path, request)
      ;(await provider.next()).sse([])
      await (await other).text()
      assert.equal((await app.record()).code, 'idle_timeout')
      call.end(ending)
      goOn()
      await client.sees('[DONE]')
      assert.deepEqual([words(), (await app.record()).outcome], [60, 'completed'])
    })

    test('see a client that leaves meanwhile, and a provider that breaks off', async (t) => {
      const left = await paused(t)
      left.client.leave()
      await left.call.gone
      assert.equal((await left.app.record()).outcome, 'client_disconnect')
      left.goOn()
      const broken = await paused(t)
      broken.call.socket.destroy()
      for (let round = 0; round < 5; round++) await nextRound()
      broken.goOn()
      await broken.client.sees('"code":"upstream_reset"')
      assert.deepEqual([broken.words(), (await broken.app.record()).code], [60, 'upstream_reset'])
      for (const { calls } of [left, broken]) assert.equal(calls.filter((call) => call === 'settle').length, 1)
    })
  })

  test('are closed with the middleware, after its last exchange', async (t) => {
    const order: string[] = []
    const { policy } = noted('closing', {
      settle: () => void order.push('settle'),
      close: () => void order.push('close'),
    })
    const { app, ask } = await started(t, [policy])
    await ask()
    await app.proxy.close()
    assert.deepEqual(order, ['settle', 'close'])
  })

  for (const [name, policies, message] of [
    ['no list', {} as never, /aiProxy: policies takes a list of policies; got \{\}/],
    ['no object', [5 as never], /aiProxy: policies\[0\] takes an object; got 5/],
    ['no name', [{ admit() {} } as never], /aiProxy: policies\[0\]\.name takes a name/],
    ['nothing to do', [{ name: 'idle' }], /aiProxy: policies\[0\] takes a policy/],
    [
      'a method that is no function',
      [{ name: 'x', admit: true } as never],
      /aiProxy: policies\[0\]\.admit takes a function/,
    ],
  ] as const satisfies [string, readonly Policy[], RegExp][]) {
    test(`${name} is refused when the middleware is created`, async (t) => {
      await assert.rejects(started(t, policies), message)
    })
  }
})

test('Prometheus shows the figures of each policy, also of several of one name, and of a shared one once', async (t) => {
  const policy = (waiting: number): Policy => ({ name: 'p', admit: () => undefined, figures: () => ({ waiting }) })
  const [shared, other] = [policy(3), policy(0)]
  const register = new Registry()
  const observer = prometheusObserver({ register })
  t.after(() => observer.close())
  await started(t, [shared, other], { observers: [observer] })
  await started(t, [shared, policy(5)], { observers: [observer] })
  assert.deepEqual(await samplesOf(register, 'ai_proxy_policy'), [
    'ai_proxy_policy{policy="p",figure="waiting"} 3',
    'ai_proxy_policy{policy="p 2",figure="waiting"} 0',
    'ai_proxy_policy{policy="p 3",figure="waiting"} 5',
  ])
})
