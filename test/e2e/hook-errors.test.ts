import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { AiProxyOptions, HookedRequest, HookName } from '../../lib/index.js'
import { unhandledRejections } from '../support/unhandled.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { startProvider } from './support/provider.js'
import { streams } from './support/streams.js'
import { within } from './support/waiting.js'

const { chat } = streams

/** Like the errors of HTTP clients, whose getters look into a response that is not there. */
class GettersFail extends Error {
  get status(): number {
    throw new Error('there is no response')
  }
  override get message(): string {
    throw new Error('there is no response')
  }
}

/** A proxy that throws whatever it is asked, `instanceof` among it. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const faults: readonly [what: string, fault: unknown][] = [
  ['an error', new Error('a fault of the app')],
  ['an error with getters that throw', new GettersFail()],
  ['a revoked proxy', revoked()],
  ['nothing', undefined],
]

type Case = [hook: HookName, status: number, options: Partial<AiProxyOptions>]

const casesOf = (fail: () => never): Case[] => [
  ['onRequest', 500, { onRequest: fail }],
  ['onRequest', 500, { onRequest: async () => fail() }],
  ['onRequest', 500, { onRequest: () => thenableThat(fail) }],
  ['onEvent', 200, { onEvent: fail }],
  ['onFinish', 200, { onFinish: fail }],
  ['onFinish', 200, { onFinish: async () => fail() }],
  ['estimateTokens', 200, { estimateTokens: fail }],
  ['observers', 200, { observers: [{ onFinish: fail }] }],
  ['auth', 500, { auth: { headers: { authorization: fail } } }],
  ['auth', 500, { auth: { query: { key: async () => fail() } } }],
  ['forwardHeaders', 500, { forwardHeaders: fail }],
]

/** What is no promise, and takes `await` for one: its `then` throws. */
const thenableThat = (fail: () => never) => Object.defineProperty({}, 'then', { value: fail }) as Promise<never>

/** What the record of each keeps; what comes after the answer, or beside it, fails no exchange. */
const failsExchange: readonly HookName[] = ['onRequest', 'onEvent', 'auth', 'forwardHeaders']

const thrown = faults.flatMap(([what, fault]) =>
  casesOf(() => {
    throw fault
  }).map((each, at) => [what, fault, at, each] as const),
)

const circular: Record<string, unknown> = {}
circular.itself = circular

/** What hooks do wrongly without throwing; the types forbid most of it, and JavaScript does not. */
const misuses: readonly [what: string, hook: HookName, status: number, options: object][] = [
  ['a promise', 'onEvent', 200, { onEvent: async () => undefined }],
  ['a promise that rejects', 'onEvent', 200, { onEvent: async () => Promise.reject(new Error('x')) }],
  ['an invalid event', 'onEvent', 200, { onEvent: () => true }],
  ['an event without data', 'onEvent', 200, { onEvent: () => ({}) }],
  ['an event with a number as its name', 'onEvent', 200, { onEvent: () => ({ event: 5, data: 1 }) as never }],
  ['an event with an object as its name', 'onEvent', 200, { onEvent: () => ({ event: {}, data: 1 }) as never }],
  ['a BigInt', 'onEvent', 200, { onEvent: () => ({ data: 1n }) }],
  ['circular data', 'onEvent', 200, { onEvent: () => ({ data: circular }) }],
  ['a string', 'onRequest', 500, { onRequest: () => 'x' }],
  ['an invalid status', 'onRequest', 500, { onRequest: async () => ({ status: 99 }) }],
  ['a circular answer', 'onRequest', 500, { onRequest: () => ({ body: circular }) }],
  ['a forbidden header of an answer', 'onRequest', 500, { onRequest: () => ({ headers: { 'x-a': 'a\nb' } }) }],
  [
    'a header that is not a string',
    'onRequest',
    500,
    { onRequest: (r: HookedRequest) => void Object.assign(r.headers, { x: 1 }) },
  ],
  [
    'a circular request',
    'onRequest',
    500,
    { onRequest: (r: HookedRequest) => void Object.assign(r, { body: circular }) },
  ],
  ['nothing', 'auth', 500, { auth: { headers: { authorization: () => undefined } } }],
  ['a promise of nothing', 'auth', 500, { auth: { query: { key: async () => undefined } } }],
  ['what no header can carry', 'auth', 500, { auth: { headers: { authorization: () => 'hunter2\n' } } }],
  ['a promise', 'forwardHeaders', 500, { forwardHeaders: (async () => true) as never }],
  ['NaN', 'estimateTokens', 200, { estimateTokens: () => Number.NaN }],
  ['a promise', 'estimateTokens', 200, { estimateTokens: async () => 3 }],
  ['a header that is not a string', 'observers', 200, { observers: [{ onRequest: () => ({ a: 1 }) }] }],
]

describe('invalid values that the app’s own code returns or sets are reported like exceptions', () => {
  for (const [what, hook, status, options] of misuses) {
    test(`${hook}: ${what}`, async (t) => {
      const warned = mock.method(process, 'emitWarning', () => {})
      t.after(() => mock.restoreAll())
      const unhandled = unhandledRejections(t)
      const told: unknown[] = []
      const provider = await startProvider(t, { onCall: (call) => call.sse().end(Buffer.concat(chat.frames)) })
      const app = await startApp(t, {
        target: provider.url,
        onError: (error, context) => void told.push([error instanceof TypeError, context.hook]),
        ...options,
      })
      const response = await within(post(app.url + chat.path, chat.request), 'the answer')
      await response.text()
      await app.record()
      assert.equal(response.status, status)
      assert.deepEqual(told.slice(0, 1), [[true, hook]])
      assert.equal(warned.mock.callCount(), 1)
      const [text, details] = warned.mock.calls[0]!.arguments as unknown as [string, { code: string; detail: string }]
      assert.match(text, /returned or set an invalid value/)
      assert.equal(details.code, 'AI_PROXY_HOOK_THREW')
      assert.match(details.detail, new RegExp(hook === 'observers' ? 'an observer' : hook))
      assert.doesNotMatch(details.detail, /hunter2/)
      assert.deepEqual(unhandled, [])
    })
  }
})

describe('exceptions of the app’s own code are reported', () => {
  for (const [what, fault, at, [hook, status, options]] of thrown) {
    test(`${what}, ${at}: ${hook}`, async (t) => {
      const warned = mock.method(process, 'emitWarning', () => {})
      t.after(() => mock.restoreAll())
      const unhandled = unhandledRejections(t)
      const told: unknown[][] = []
      const provider = await startProvider(t, { onCall: (call) => call.sse().end(Buffer.concat(chat.frames)) })
      const app = await startApp(t, {
        target: provider.url,
        onError: (error, context) => void told.push([error, context.hook, context.exchange?.path]),
        ...options,
      })
      const response = await within(post(app.url + chat.path, chat.request), 'the answer')
      await response.text()
      const record = await app.record()
      assert.equal(response.status, status)
      assert.deepEqual(unhandled, [])
      assert.ok(told.length > 0)
      for (const [error, name, path] of told) {
        assert.ok(Object.is(error, fault))
        assert.equal(name, hook)
        assert.equal(path, hook === 'observers' ? undefined : chat.path)
      }
      const codes = warned.mock.calls.map(
        ({ arguments: [, details] }) => (details as { code?: string } | undefined)?.code,
      )
      assert.deepEqual(codes, ['AI_PROXY_HOOK_THREW'])
      assert.ok(Object.is(record.cause, failsExchange.includes(hook) ? fault : undefined))
    })
  }

  test('an error with a status, thrown by onRequest to reject a request, is not reported', async (t) => {
    const warned = mock.method(process, 'emitWarning', () => {})
    t.after(() => mock.restoreAll())
    const told: unknown[] = []
    const provider = await startProvider(t)
    const refuse = () => {
      throw Object.assign(new Error('Pay first'), { status: 402 })
    }
    const app = await startApp(t, {
      target: provider.url,
      onRequest: refuse,
      onError: (error) => void told.push(error),
    })
    const response = await post(app.url + chat.path, chat.request)
    assert.equal(response.status, 402)
    await response.text()
    await app.record()
    assert.deepEqual(told, [])
    assert.equal(warned.mock.callCount(), 0)
  })
})
