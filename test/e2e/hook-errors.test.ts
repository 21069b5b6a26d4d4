import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { AiProxyOptions, HookName } from '../../lib/index.js'
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

describe('what the app’s own code throws is told', () => {
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
        if (hook.startsWith('on')) assert.equal(path, chat.path)
      }
      const codes = warned.mock.calls.map(
        ({ arguments: [, details] }) => (details as { code?: string } | undefined)?.code,
      )
      assert.deepEqual(codes, ['AI_PROXY_HOOK_THREW'])
      assert.ok(Object.is(record.cause, failsExchange.includes(hook) ? fault : undefined))
    })
  }

  test('an error with a status, by which onRequest refuses, is none', async (t) => {
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
