import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions, HookName } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

type Limits = NonNullable<AiProxyOptions['limits']>

const whole = [...openai.events, openai.terminator]

/** Asks an app with these limits, and tells what became of it. */
async function asked(t: TestContext, limits: Limits, plan: string, path = openai.path, isWhole = true) {
  t.mock.method(process, 'emitWarning', () => {})
  const provider = await startProvider(t, {
    onCall: (call) => void call.sse(isWhole ? whole : openai.events).end(),
  })
  const errors: [HookName, string, string | undefined][] = []
  const onError: AiProxyOptions['onError'] = (error, { hook, exchange }) => {
    errors.push([hook, String((error as Error).message ?? error), exchange?.path])
  }
  const app = await startApp(t, { target: provider.url, limits, onError })
  const response = await post(app.url + path, openai.request, { headers: { 'x-plan': plan } })
  await response.text()
  return { status: response.status, record: await app.record(), errors, calls: provider.calls.length }
}

describe('limits per request', () => {
  const ofPlan: Limits = (req) => ({ maxRequestBytes: req.headers['x-plan'] === 'free' ? 5 : false })

  for (const [plan, status, code] of [
    ['free', 413, 'request_too_large'],
    ['paid', 200, undefined],
  ] as const) {
    test(`a function gives each request its own: ${plan}`, async (t) => {
      const { status: got, record } = await asked(t, ofPlan, plan)
      assert.deepEqual([got, record.code], [status, code])
    })
  }

  test('a function may be async; the static limits apply to what it leaves out', async (t) => {
    const limits: Limits = {
      maxOutputTokens: 1,
      maxRequestBytes: 5,
      perRequest: async ({ headers }) => ({ maxRequestBytes: headers['x-plan'] === 'paid' ? 10_000 : undefined }),
    }
    assert.equal((await asked(t, limits, 'paid', openai.path, false)).record.limit, 'maxOutputTokens')
    assert.equal((await asked(t, limits, 'free')).record.limit, 'maxRequestBytes')
  })

  test('apply to the answer as well as to the request', async (t) => {
    for (const [limits, limit] of [
      [{ maxResponseBytes: 5 }, 'maxResponseBytes'],
      [{ maxEventBytes: 5 }, 'maxEventBytes'],
      [{ maxOutputTokens: 1 }, 'maxOutputTokens'],
    ] as const) {
      assert.equal((await asked(t, () => limits, 'any', openai.path, false)).record.limit, limit)
    }
  })

  for (const [name, returns, says] of [
    ['nothing', undefined, /limits takes an object; got undefined/],
    ['an invalid value', { maxOutputTokens: 0 }, /limits\.maxOutputTokens takes a number above 0, or false/],
    ['an unknown name', { maxOutputToken: 5 }, /Did you mean limits\.maxOutputTokens\?/],
    ['a limit on all requests', { maxConcurrentStreams: 5 }, /limits\.maxConcurrentStreams bounds all requests/],
    ['another function', { perRequest: () => ({}) }, /no option limits\.perRequest/],
  ] as const) {
    test(`a function that returns ${name} gets 500 and a call of onError`, async (t) => {
      const { status, record, errors, calls } = await asked(t, () => returns as never, 'any')
      assert.deepEqual([status, record.code, calls], [500, 'internal_error', 0])
      const [[hook, message, path] = [], ...others] = errors
      assert.deepEqual([hook, path, others], ['limits', openai.path, []])
      assert.match(message ?? '', says)
    })
  }

  for (const fail of [
    () => {
      throw new Error('no database')
    },
    () => Promise.reject(new Error('no database')),
  ]) {
    test('a function that throws or rejects gets 500 and a call of onError', async (t) => {
      const { status, record, errors } = await asked(t, fail, 'any')
      assert.deepEqual([status, record.code], [500, 'internal_error'])
      assert.deepEqual(errors, [['limits', 'no database', openai.path]])
    })
  }

  test('a function that never settles is bounded by firstByteTimeoutMs', async (t) => {
    const limits: Limits = { firstByteTimeoutMs: 20, perRequest: () => new Promise(() => {}) }
    const { status, record } = await asked(t, limits, 'any')
    assert.deepEqual([status, record.limit], [504, 'firstByteTimeoutMs'])
    assert.equal(record.error, "The app's `limits` did not answer in time (limits.firstByteTimeoutMs: 20)")
  })

  test('are not requested if the endpoint is not allowed or too many exchanges are in progress', async (t) => {
    let calls = 0
    const perRequest = () => {
      calls++
      return new Promise<object>(() => {})
    }
    assert.equal((await asked(t, perRequest, 'any', '/v1/files')).status, 404)
    assert.equal(calls, 0)
    const provider = await startProvider(t)
    const limits = { maxConcurrentExchanges: 1, firstByteTimeoutMs: 200, perRequest }
    const app = await startApp(t, { target: provider.url, limits })
    const answers = await Promise.all([1, 2].map(() => post(app.url + openai.path, openai.request)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [503, 504])
    assert.equal(calls, 1)
  })
})
