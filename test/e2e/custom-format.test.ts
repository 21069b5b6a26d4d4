import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyError, Format, Framing, HookedRequest, StreamEvent } from '../../lib/index.js'
import { framings, textOf, withText } from '../../lib/index.js'
import { openTelemetryObserver } from '../../lib/opentelemetry.js'
import { quota } from '../../lib/quota.js'
import { telemetry } from '../metrics/support/telemetry.js'
import { startApp } from './support/app.js'
import { type Call, startProvider } from './support/provider.js'

/** Lines like `word|{"w":"a"}`, in which an error is one of the kind `oops`. */
const kindLines: Framing = {
  ...framings.ndjson,
  name: 'kind-lines',
  contentType: 'application/x-kind-lines',
  mediaTypes: ['application/x-kind-lines'],
  dataStart: (beginning) => beginning.indexOf('|') + 1,
  read(line) {
    const text = line.toString().trim()
    const bar = text.indexOf('|')
    return bar === -1 ? undefined : { event: text.slice(0, bar), data: text.slice(bar + 1) }
  },
  write: ({ event, data, isError }) => Buffer.from(`${isError ? 'oops' : (event ?? 'word')}|${data}\n`),
}

/** What Acme's answers say: whole ones and the last line of a stream alike. */
const acme: Format = {
  name: 'x-acme',
  provider: 'acme',
  endpoints: ['POST **/acme/talk', 'POST **/acme/*/talk-live'],
  requestHeaders: ['acme-flavour', 'acme-sdk-*'],
  framings: [kindLines],
  streamPaths: [/\/talk-live$/],
  modelPaths: [/\/acme\/([^/]+)\/talk-live$/],
  usageMarker: '"cost"',
  counting: { cache: 'inside', reasoning: 'outside' },
  maxOutputTokensPath: () => ['budget', 'words'],
  readMessage(data, event) {
    const { cost, why, w, engine, ticket } = data as Record<string, string | undefined>
    return {
      ...(event === 'hello' && { model: engine, responseId: ticket }),
      ...(event === 'word' && { text: w }),
      ...(event === 'bye' && { finishReason: why, isLast: true }),
      ...(event === 'oops' && { error: (data as { sorry: string }).sorry }),
      ...(cost && { usage: usageOf(data.cost as Record<string, number>) }),
    }
  },
  readAnswer: (answer) => ({
    model: answer.engine as string,
    text: answer.said as string,
    finishReason: answer.why as string,
    usage: usageOf(answer.cost as Record<string, number>),
  }),
  textsIn: (data) => ['w', 'said'].filter((field) => field in data).map((field) => ({ path: [field], kind: 'text' })),
  errorBody: ({ code, message }) => ({ sorry: message, because: code }),
  isErrorBody: (body) => typeof body === 'object' && body !== null && 'sorry' in body,
}

function usageOf({ read, wrote, thought }: Record<string, number>) {
  return { inputTokens: read!, outputTokens: wrote!, reasoningTokens: thought! }
}

const cost = { read: 11, wrote: 22, thought: 3 }
const lines = [
  'hello|{"engine":"acme-2-turbo","ticket":"t-1"}\n',
  'word|{"w":"Once there"}\n',
  'word|{"w":" was"}\n',
  `bye|${JSON.stringify({ why: 'done', cost })}\n`,
]

const answersWith = (bodies: readonly string[]) => (call: Call) => {
  call.res.writeHead(200, { 'content-type': 'application/x-kind-lines' })
  for (const body of bodies) call.send(body)
  call.end()
}

const ask = (url: string, path = '/acme/acme-2/talk-live', body: object = { say: 'Hi' }, headers = {}) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'acme-flavour': 'mild', ...headers },
    body: JSON.stringify(body),
  })

const told = {
  format: 'x-acme',
  outcome: 'completed',
  finishReason: 'done',
  usage: { inputTokens: 11, outputTokens: 22, reasoningTokens: 3, estimated: false },
  tokens: { uncachedInput: 11, cachedInput: 0, cacheWrite: 0, visibleOutput: 22, reasoning: 3, total: 36 },
} as const

describe('a custom format and a custom framing', () => {
  test('a stream passes byte for byte, and its record has everything that it reports', async (t) => {
    const provider = await startProvider(t, { onCall: answersWith(lines) })
    const app = await startApp(t, { target: provider.url, format: acme })
    const res = await ask(app.url)
    assert.equal(res.headers.get('content-type'), 'application/x-kind-lines')
    assert.equal(await res.text(), lines.join(''))
    const { format, outcome, finishReason, usage, tokens, ...record } = await app.record()
    assert.deepEqual({ format, outcome, finishReason, usage, tokens }, told)
    assert.deepEqual(
      [record.stream, record.model, record.responseModel, record.responseId, record.events],
      [true, 'acme-2', 'acme-2-turbo', 't-1', 4],
    )
    assert.equal(provider.calls[0]?.headers['acme-flavour'], 'mild')
  })

  test('a non-streaming answer is metered as well', async (t) => {
    const answer = { engine: 'acme-2-turbo', said: 'Once there was', why: 'done', cost }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
    const app = await startApp(t, { target: provider.url, format: acme })
    assert.deepEqual(await (await ask(app.url, '/acme/talk', { model: 'acme-2' })).json(), answer)
    const { format, outcome, finishReason, usage, tokens, stream, model } = await app.record()
    assert.deepEqual({ format, outcome, finishReason, usage, tokens }, told)
    assert.deepEqual([stream, model], [false, 'acme-2'])
  })

  test('requests that differ only in fields and headers without effect share a kept answer', async (t) => {
    const answer = { engine: 'acme-2-turbo', said: 'Once there was', why: 'done', cost }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
    const format: Format = { ...acme, fieldsWithoutEffect: ['asker'], headersWithoutEffect: ['Acme-Sdk-*'] }
    const cache = { ttlMs: 60_000, scope: () => 'all', when: () => true }
    const app = await startApp(t, { target: provider.url, format, cache })
    const how = async (body: object, headers?: Record<string, string>) => {
      const response = await ask(app.url, '/acme/talk', { model: 'acme-2', ...body }, headers)
      await response.text()
      await app.record()
      return response.headers.get('x-cache')
    }
    assert.equal(await how({ asker: 'b', user: 'a' }), 'miss')
    assert.equal(await how({ asker: 'b', user: 'a' }), 'hit')
    assert.equal(await how({ asker: 'b', user: 'a' }, { 'acme-sdk-version': '2' }), 'hit')
    assert.equal(await how({ asker: 'b', user: 'a' }, { 'acme-flavour': 'hot' }), 'miss')
    assert.equal(await how({ asker: 'b', user: 'b' }), 'miss')
  })

  test('the headers of its provider about a request go to the client, in any spelling, and no others', async (t) => {
    const provider = await startProvider(t, {
      onCall: (call) => call.json(200, {}, { 'Acme-Left': '5', 'Acme-Speed': 'high', 'x-acme-inside': '1' }),
    })
    const namesOf = async (format: Format) => {
      const app = await startApp(t, { target: provider.url, format })
      const { headers } = await ask(app.url, '/acme/talk')
      return [...headers.keys()].filter((name) => name.includes('acme'))
    }
    const told: Format = { ...acme, responseHeaders: [/^Acme-/g] }
    for (let each = 0; each < 2; each++) assert.deepEqual(await namesOf(told), ['acme-left', 'acme-speed'])
    assert.deepEqual(await namesOf(acme), [])
  })

  for (const bytes of [100, 20_000, 300_000]) {
    test(`an answer is continued and read where it is kept, by bodies of ${bytes} bytes`, async (t) => {
      let made = 0
      const start = () =>
        startProvider(t, {
          onCall: (call) => call.json(200, { ticket: `t-${made++}`, said: 'Once', why: 'done', cost }),
        })
      const targets = [
        { name: 'a', target: (await start()).url },
        { name: 'b', target: (await start()).url },
      ]
      const format: Format = {
        ...acme,
        endpoints: ['POST **/acme/talk', 'GET **/acme/talks/*'],
        readAnswer: (answer) => ({ ...acme.readAnswer!(answer), responseId: answer.ticket as string }),
        continuationField: 'after',
        answerPaths: [/\/talks\/([^/]+)$/],
      }
      const app = await startApp(t, { targets, format })
      const servedAfter = async (after: object) => {
        await (await ask(app.url, '/acme/talk', { model: 'acme-2', say: 'x'.repeat(bytes), ...after })).text()
        return app.record()
      }
      const { target, responseId } = await servedAfter({})
      for (let turn = 0; turn < 4; turn++) {
        assert.equal((await servedAfter({ after: responseId })).target, target)
        await (await fetch(`${app.url}/acme/talks/${responseId}`)).text()
        assert.equal((await app.record()).target, target)
      }
    })
  }

  for (const bytes of [100, 20_000, 300_000]) {
    test(`usage is asked for in its own field, in a body of ${bytes} bytes`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const { url } = await startApp(t, { target: provider.url, format: { ...acme, usageRequest: ['report', 'cost'] } })
      const prompt = 'x'.repeat(bytes)
      for (const report of [{ pretty: true }, { cost: true }]) {
        const body = JSON.stringify({ stream: true, report, prompt })
        await fetch(`${url}/acme/talk`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        const expected = JSON.stringify({ stream: true, report: { ...report, cost: true }, prompt })
        assert.equal((await provider.calls.at(-1)?.body)?.replace(prompt, ''), expected.replace(prompt, ''))
      }
    })
  }

  test('errors use its protocol, before and within a stream', async (t) => {
    const provider = await startProvider(t, {
      onCall: (call) => {
        call.res.writeHead(200, { 'content-type': 'application/x-kind-lines' })
        call.send(lines[0]!)
        call.send(lines[1]!)
        setImmediate(() => call.reset())
      },
    })
    const app = await startApp(t, { target: provider.url, format: acme, models: ['acme-2'] })
    const refused = await ask(app.url, '/acme/acme-3/talk-live')
    assert.equal(refused.status, 403)
    assert.deepEqual(await refused.json(), {
      sorry: 'The model acme-3 is not allowed here',
      because: 'model_not_allowed',
    })
    const text = await (await ask(app.url)).text()
    const last = text.trimEnd().split('\n').at(-1)!
    assert.deepEqual(last.split('|')[0], 'oops')
    assert.equal(JSON.parse(last.slice(5)).because, 'upstream_reset')
    assert.deepEqual(
      app.records.map(({ code }) => code),
      ['model_not_allowed', 'upstream_reset'],
    )
  })

  test('a failure that a retry would only repeat says so in its headers', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const own: Format = { ...acme, noRetryHeaders: { 'Acme-Again': 'no' } }
    const seen: (string | undefined)[] = []
    const limits = { maxRequestBytes: 100 }
    const errors = (failure: AiProxyError) => void seen.push(failure.headers['acme-again'])
    const app = await startApp(t, { target: provider.url, format: own, limits, errors })
    const headersAfter = async (url: string, body: object) => {
      const { status, headers } = await ask(url, '/acme/talk', body)
      return [status, headers.get('acme-again'), headers.get('x-should-retry')]
    }
    assert.deepEqual(await headersAfter(app.url, { say: 'x'.repeat(100) }), [413, 'no', null])
    assert.deepEqual(seen, ['no'])
    const usual = await startApp(t, { target: provider.url, format: acme, limits })
    assert.deepEqual(await headersAfter(usual.url, { say: 'x'.repeat(100) }), [413, null, 'false'])
    const policies = [quota({ limits: () => [{ key: 'all', requests: 0, per: '1h' }] })]
    const full = await startApp(t, { target: provider.url, format: own, policies })
    assert.deepEqual(await headersAfter(full.url, { model: 'acme-2' }), [429, 'no', null])
  })

  test('a truncated stream and an error within a stream are recorded', async (t) => {
    const bodies = [lines.slice(0, -1), [lines[0]!, 'oops|{"sorry":"I am tired"}\n']]
    const provider = await startProvider(t, { onCall: (call) => answersWith(bodies.shift()!)(call) })
    const app = await startApp(t, { target: provider.url, format: acme })
    for (let each = 0; each < 2; each++) await (await ask(app.url)).text()
    assert.deepEqual(
      app.records.map(({ code }) => code),
      ['upstream_truncated', 'upstream_error'],
    )
    assert.match(app.records[1]!.error!, /I am tired/)
  })

  test('hooks see its requests and events, and can change their text', async (t) => {
    const provider = await startProvider(t, { onCall: answersWith(lines) })
    const seen: string[] = []
    const app = await startApp(t, {
      target: provider.url,
      format: acme,
      modelOptions: { overrides: { maxOutputTokens: 50 } },
      onRequest(request: HookedRequest) {
        seen.push(request.format)
        if (request.format === 'x-acme' && request.body) request.body.tone = 'kind'
      },
      onEvent(event: StreamEvent) {
        // Built-in formats keep their types beside it.
        if (event.format === 'anthropic') return { data: { ...event.data, type: event.data.type?.toUpperCase() } }
        const text = textOf(event)
        if (text === undefined) return undefined
        seen.push(text)
        return withText(event, text.replace('Once', 'Twice'))
      },
    })
    const text = await (await ask(app.url)).text()
    assert.equal(text, lines.join('').replace('Once', 'Twice'))
    assert.deepEqual(seen, ['x-acme', 'Once there', ' was'])
    assert.deepEqual(JSON.parse(await provider.calls[0]!.text), { say: 'Hi', budget: { words: 50 }, tone: 'kind' })
  })

  test('OpenTelemetry attributes use its names', async (t) => {
    const { tracerProvider, meterProvider, ...seen } = telemetry()
    const provider = await startProvider(t, { onCall: answersWith(lines) })
    const app = await startApp(t, {
      target: provider.url,
      format: acme,
      observers: [openTelemetryObserver({ tracerProvider, meterProvider })],
    })
    await (await ask(app.url)).text()
    await app.record()
    const [span] = seen.spans
    assert.deepEqual(
      [span?.name, span?.attributes['gen_ai.operation.name'], span?.attributes['gen_ai.provider.name']],
      ['chat acme-2', 'chat', 'acme'],
    )
    assert.equal(span?.attributes['gen_ai.usage.output_tokens'], 25)
  })
})

describe('a minimal custom format', () => {
  const small: Format = {
    name: 'x-small',
    readMessage: ({ piece, last }) => ({ text: piece as string, isLast: last === true }),
  }
  const events = ['data: {"piece":"Once there was"}\n\n', 'data: {"last":true}\n\n']

  test('streams server-sent events, and reports errors as OpenAI does', async (t) => {
    const bodies = [events, events.slice(0, 1)]
    const provider = await startProvider(t, { onCall: (call) => call.sse(bodies.shift()!).end() })
    const app = await startApp(t, { target: provider.url, format: small, endpoints: ['small'] })
    assert.equal(await (await ask(app.url, '/small', { stream: true })).text(), events.join(''))
    const [error] = (await (await ask(app.url, '/small', { stream: true })).text()).split('\n\n').slice(-2)
    assert.equal(JSON.parse(error!.slice('data: '.length)).error.code, 'upstream_truncated')
    const [whole] = app.records
    assert.equal(whole?.outcome, 'completed')
    assert.equal(whole?.usage?.estimated, true)
    assert.equal(whole?.usage?.outputTokens, 3)
  })
})

describe('a custom format that throws', () => {
  const thrower = (name: `x-${string}`, broken: readonly (keyof Format)[]): Format => ({
    ...acme,
    name,
    ...Object.fromEntries(
      broken.map((member) => [
        member,
        () => {
          throw new Error(`${member} is broken`)
        },
      ]),
    ),
  })

  for (const member of ['readMessage', 'progressIn', 'isTerminator', 'streamsSse', 'readHeaders', 'textsIn'] as const) {
    test(`in ${member}: the stream passes, and the error is reported`, async (t) => {
      const errors: [string, string][] = []
      const provider = await startProvider(t, { onCall: answersWith(lines) })
      const app = await startApp(t, {
        target: provider.url,
        format: thrower('x-thrower', [member]),
        onEvent: (event) => void textOf(event),
        onError: (error, { hook }) => void errors.push([hook, (error as Error).message]),
      })
      assert.equal(await (await ask(app.url)).text(), lines.join(''))
      const record = await app.record()
      assert.deepEqual([record.outcome, record.error], ['completed', undefined])
      // Nobody asks these of a stream that comes all at once: test/options/format.test.ts does.
      if (member === 'streamsSse' || member === 'isTerminator') return
      assert.ok(errors.length > 0)
      for (const error of errors) assert.deepEqual(error, ['format', `${member} is broken`])
    })
  }

  test('in its functions for errors and answers: the client gets plain JSON errors, and the answer unchanged', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { said: 'Hi' }) })
    const errors: unknown[] = []
    const format = thrower('x-thrower', [
      ...(['errorBody', 'isErrorBody', 'errorEvent', 'readAnswer', 'maxOutputTokensPath', 'operation'] as const),
    ])
    const app = await startApp(t, {
      target: provider.url,
      format,
      models: ['acme-2'],
      modelOptions: { defaults: { maxOutputTokens: 50 } },
      onError: (error) => void errors.push((error as Error).message),
    })
    assert.deepEqual(await (await ask(app.url, '/acme/talk', { model: 'other' })).json(), {
      error: { message: 'The model other is not allowed here', code: 'model_not_allowed' },
    })
    assert.deepEqual(await (await ask(app.url, '/acme/talk', { model: 'acme-2' })).json(), { said: 'Hi' })
    assert.equal(JSON.parse(await provider.calls[0]!.text).max_tokens, 50)
    await app.record()
    for (const member of ['errorBody', 'readAnswer', 'maxOutputTokensPath']) {
      assert.ok(errors.includes(`${member} is broken`), member)
    }
  })

  test('invalid fields of a message are reported and ignored; the valid ones count', async (t) => {
    const errors: string[] = []
    const provider = await startProvider(t, { onCall: answersWith(lines) })
    const wrong = {
      model: 5,
      usage: { inputTokens: 'many' },
      finish_reason: 'done',
      finishReason: 'done',
      isLast: true,
    }
    const app = await startApp(t, {
      target: provider.url,
      format: { ...acme, name: 'x-wrong', readMessage: () => wrong as never },
      onError: (error) => void errors.push((error as Error).message),
    })
    assert.equal(await (await ask(app.url)).text(), lines.join(''))
    const { finishReason, responseModel, usage, outcome } = await app.record()
    assert.deepEqual(
      [finishReason, responseModel, usage?.inputTokens, outcome],
      ['done', undefined, undefined, 'completed'],
    )
    for (const field of ['model', 'usage', 'finish_reason']) {
      assert.ok(
        errors.some((error) => error.includes(`readMessage of the format x-wrong returned an invalid ${field} (`)),
        field,
      )
    }
  })

  test('in its framing: unreadable frames pass, and so does a body that cannot be framed', async (t) => {
    for (const member of ['read', 'createFramer'] as const) {
      const errors: [string, string][] = []
      const provider = await startProvider(t, { onCall: answersWith(lines) })
      const broken = () => {
        throw new Error(`${member} is broken`)
      }
      const app = await startApp(t, {
        target: provider.url,
        format: { ...acme, name: 'x-unframed', framings: [{ ...kindLines, [member]: broken }] },
        onError: (error, { hook }) => void errors.push([hook, (error as Error).message]),
      })
      assert.equal(await (await ask(app.url)).text(), lines.join(''), member)
      assert.equal((await app.record()).outcome, 'completed')
      assert.deepEqual(errors[0], ['format', `${member} is broken`])
    }
  })
})
