import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { NextFunction, Request, Response } from 'express'
import { AiProxyError, type AiProxyOptions, type OnFailure } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { protocols } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const [openai] = protocols

/** Sends a request that is refused because of its model, or whatever the options say. */
async function failing(
  t: Owner,
  errors: OnFailure,
  options: Partial<AiProxyOptions> = { models: ['other'] },
  at = openai!,
) {
  const told: unknown[] = []
  const onError = (error: unknown, { hook }: { hook: string }) => void told.push([hook, error])
  const provider = await startProvider(t, { onCall: (call: Call) => call.sse(at.events).end(at.terminator) })
  const app = await startApp(t, { target: provider.url, errors, onError, ...options })
  const response = await within(post(app.url + at.path, at.request), 'the answer')
  return { response, text: await response.text(), record: await app.record(), told }
}

describe('errors, as a function', () => {
  test('gets the failure and the exchange, and answers in its place', async (t) => {
    const seen: unknown[] = []
    const { response, text, record } = await failing(t, async (failure, { model }) => {
      seen.push(failure instanceof AiProxyError, failure.code, model)
      return { status: 418, headers: { 'x-app': 'yes' }, body: { sorry: failure.message } }
    })
    assert.deepEqual(seen, [true, 'model_not_allowed', 'gpt-test'])
    assert.deepEqual([response.status, response.headers.get('x-app')], [418, 'yes'])
    assert.match(text, /^\{"sorry":/)
    assert.deepEqual([record.outcome, record.code, record.status], ['rejected', 'model_not_allowed', 418])
  })

  test('has a signal that has not aborted, so that it can wait for something', async (t) => {
    const seen: unknown[] = []
    const { text, told } = await failing(t, async (_failure, { signal }) => {
      seen.push(signal.aborted)
      return { body: await (await fetch('data:,text', { signal })).text() }
    })
    assert.deepEqual([seen, text, told], [[false], 'text', []])
  })

  test('has a signal that aborts if the client leaves', async (t) => {
    const asked = new Queue<AbortSignal>('errors')
    const errors: OnFailure = (_failure, { signal }) => {
      asked.push(signal)
      return new Promise(() => {})
    }
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, errors, models: ['other'] })
    const client = (await connect(t, app.port)).post(`/ai${openai!.path}`, openai!.request)
    const signal = await asked.next()
    assert.equal(signal.aborted, false)
    const aborted = once(signal, 'abort')
    client.leave()
    await within(aborted, 'the abort')
    assert.equal(signal.reason.name, 'AbortError')
  })

  for (const protocol of protocols) {
    test(`gets a body in the client's protocol: ${protocol.name}`, async (t) => {
      const errors: OnFailure = (failure) => ({ body: failure.toBody() })
      const { response, text } = await failing(t, errors, undefined, protocol)
      assert.equal(response.status, 403)
      assert.equal(protocol.errorIn(JSON.parse(text)).code, 'model_not_allowed')
    })
  }

  test('keeps the headers of the failure that its answer does not set', async (t) => {
    const limits = { maxRequestBytes: 1 }
    const kept = await failing(t, () => ({ body: 'busy' }), { limits })
    assert.deepEqual(
      [kept.response.status, kept.response.headers.get('x-should-retry'), kept.text],
      [413, 'false', 'busy'],
    )
    const own = await failing(t, () => ({ headers: { 'X-Should-Retry': 'true' } }), { limits })
    assert.equal(own.response.headers.get('x-should-retry'), 'true')
  })

  test('falls back to the default answer if it returns nothing', async (t) => {
    const { response, text, told } = await failing(t, () => {})
    assert.equal(response.status, 403)
    assert.equal(openai!.errorIn(JSON.parse(text)).code, 'model_not_allowed')
    assert.deepEqual(told, [])
  })

  const faults: readonly [string, OnFailure][] = [
    ['throws', () => assert.fail('a fault')],
    ['rejects', async () => assert.fail('a fault')],
    ['returns an invalid answer', () => 'x' as never],
    ['returns the failure', (failure) => failure as never],
    ['returns an invalid status', async () => ({ status: 1 })],
  ]
  for (const [what, errors] of faults) {
    test(`${what}: the default answer goes out, and onError is called`, async (t) => {
      const { response, text, told } = await failing(t, errors)
      assert.equal(response.status, 403)
      assert.equal(openai!.errorIn(JSON.parse(text)).code, 'model_not_allowed')
      assert.deepEqual(
        told.map((each) => (each as unknown[])[0]),
        ['errors'],
      )
    })
  }

  test('is not awaited without bound', async (t) => {
    const limits = { firstByteTimeoutMs: 50 }
    const { response } = await failing(t, () => new Promise(() => {}), { models: ['other'], limits })
    assert.equal(response.status, 403)
  })

  test('is not awaited if the server shuts down: the default answer goes out', async (t) => {
    const asked = new Queue<string>('the hook')
    const provider = await startProvider(t)
    const errors: OnFailure = (failure) => new Promise(() => asked.push(failure.code))
    const app = await startApp(t, { target: provider.url, models: ['other'], errors })
    const asking = post(app.url + openai!.path, openai!.request)
    await asked.next()
    const closing = app.proxy.close({ graceMs: 0 })
    const response = await within(asking, 'the answer')
    assert.equal(response.status, 403)
    assert.match(await response.text(), /model_not_allowed/)
    await within(closing, 'close()')
  })

  test('is not called once the stream has begun', async (t) => {
    const { text, record } = await failing(t, () => assert.fail('too late'), { limits: { maxResponseBytes: 300 } })
    assert.equal(record.code, 'response_too_large')
    assert.match(text, /response_too_large/)
  })

  test('sends and leaves nothing if the client leaves while it runs', async (t) => {
    const asked = new Queue<() => void>('the hook')
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      models: ['other'],
      errors: () => new Promise<void>((resolve) => asked.push(resolve)),
    })
    const client = (await connect(t, app.port)).post(`/ai${openai!.path}`, openai!.request)
    const resolve = await asked.next()
    client.leave()
    const record = await app.record()
    resolve()
    assert.deepEqual([record.code, record.downstreamBytes], ['model_not_allowed', 0])
    assert.deepEqual(app.proxy.exchanges(), [])
  })
})

describe('error.toBody()', () => {
  for (const protocol of protocols) {
    test(`is in the client's protocol for Express's error handlers: ${protocol.name}`, async (t) => {
      const provider = await startProvider(t)
      const after = (error: AiProxyError, _req: Request, res: Response, _next: NextFunction) => {
        res.status(error.status).set(error.headers).json(error.toBody())
      }
      const options: AiProxyOptions = { target: provider.url, models: ['other'], errors: 'next' }
      const app = await startApp(t, options, { after: (express) => void express.use(after) })
      const response = await within(post(app.url + protocol.path, protocol.request), 'the answer')
      assert.equal(response.status, 403)
      assert.equal(protocol.errorIn(await response.json()).code, 'model_not_allowed')
      await app.record()
    })
  }

  test("uses OpenAI's format if the error belongs to no exchange", () => {
    const error = new AiProxyError('overloaded', 'Too busy')
    assert.equal(openai!.errorIn(error.toBody()).message, 'Too busy')
  })
})
