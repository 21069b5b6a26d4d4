import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { AiProxyOptions, HookName } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { startProvider } from './support/provider.js'
import { streams } from './support/streams.js'
import { within } from './support/waiting.js'

const { chat } = streams
const fault = new Error('a fault of the app')
const fail = () => {
  throw fault
}

type Case = [hook: HookName, status: number, options: Partial<AiProxyOptions>]

const cases: Case[] = [
  ['onRequest', 500, { onRequest: fail }],
  ['onRequest', 500, { onRequest: async () => fail() }],
  ['onEvent', 200, { onEvent: fail }],
  ['onFinish', 200, { onFinish: fail }],
  ['onFinish', 200, { onFinish: async () => fail() }],
  ['estimateTokens', 200, { estimateTokens: fail }],
  ['observers', 200, { observers: [{ onFinish: fail }] }],
  ['auth', 500, { auth: { headers: { authorization: fail } } }],
  ['auth', 500, { auth: { query: { key: async () => fail() } } }],
  ['forwardHeaders', 500, { forwardHeaders: fail }],
]

/** What the record of each keeps; what comes after the answer, or beside it, fails no exchange. */
const failsExchange: readonly HookName[] = ['onRequest', 'onEvent', 'auth', 'forwardHeaders']

describe('what the app’s own code throws is told', () => {
  for (const [at, [hook, status, options]] of cases.entries()) {
    test(`${at}: ${hook}`, async (t) => {
      const warned = mock.method(process, 'emitWarning', () => {})
      t.after(() => mock.restoreAll())
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
      assert.ok(told.length > 0)
      for (const [error, name, path] of told) {
        assert.equal(error, fault)
        assert.equal(name, hook)
        if (hook.startsWith('on')) assert.equal(path, chat.path)
      }
      const codes = warned.mock.calls.map(
        ({ arguments: [, details] }) => (details as { code?: string } | undefined)?.code,
      )
      assert.deepEqual(codes, ['AI_PROXY_HOOK_THREW'])
      assert.equal(record.cause, failsExchange.includes(hook) ? fault : undefined)
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
