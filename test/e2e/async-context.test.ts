import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const { path, request, events, terminator } = openai
/** More than begin in one round of the event loop. */
const USERS = Array.from({ length: 20 }, (_, at) => `user-${at}`)

type Note = (name: string, of: { req: IncomingMessage }) => undefined

/** Starts an app that keeps who asks in an `AsyncLocalStorage`, as many do, and notes whom each of its functions sees there. */
async function started(
  t: TestContext,
  given: (url: string, note: Note) => Partial<AiProxyOptions>,
  onCall: (call: Call) => void,
) {
  const storage = new AsyncLocalStorage<string>()
  const seen = new Map<string, Set<string>>()
  const note: Note = (name, { req }) => {
    const [user, whose] = [storage.getStore(), req.headers['x-user']]
    const what = user === whose ? 'its own' : `${user} for ${whose}`
    seen.set(name, (seen.get(name) ?? new Set()).add(what))
    return undefined
  }
  const provider = await startProvider(t, { onCall })
  const options: AiProxyOptions = {
    target: provider.url,
    identify: (req) => note('identify', { req }) ?? 'somebody',
    policies: [
      {
        name: 'noting',
        admit: (exchange) => note('admit', exchange),
        progress: (exchange) => note('progress', exchange),
        settle: (_, exchange) => note('settle', exchange),
      },
    ],
    onRequest: (_, exchange) => note('onRequest', exchange),
    onResponse: (_, exchange) => note('onResponse', exchange),
    onEvent: (_, exchange) => note('onEvent', exchange),
    onFinish: (_, exchange) => note('onFinish', exchange),
    ...given(provider.url, note),
  }
  const app = await startApp(t, options, {
    before: (express) => express.use((req, _, next) => storage.run(req.get('x-user') ?? '', next)),
  })
  const ask = (user: string, init: RequestInit = {}) =>
    post(app.url + path, request, { ...init, headers: { 'x-user': user } })
  const all = async () => {
    for (const _ of USERS) await app.record()
    return Object.fromEntries([...seen].map(([name, whom]) => [name, [...whom].join()]))
  }
  return { app, ask, all }
}

const ownIn = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'its own']))
const before = ['identify', 'onRequest', 'admit']
const after = ['onResponse', 'onEvent', 'progress', 'settle', 'onFinish']

describe('what an app keeps for a request in an AsyncLocalStorage', () => {
  for (const [name, given] of [
    ['one target', () => ({})],
    ['several targets', (url: string) => ({ target: undefined, targets: [{ name: 'a', target: url }] })],
    ['an answer that is shared', () => ({ cache: { ttlMs: 1000, scope: () => 'all' }, joinIdentical: true })],
  ] as const) {
    test(`is its own in each function, however many arrive together: ${name}`, async (t) => {
      const { ask, all } = await started(t, given, async (call) => {
        call.sse()
        for (const event of [...events, terminator]) {
          await new Promise(setImmediate)
          call.send(event)
        }
        call.end()
      })
      await Promise.all(USERS.map(async (user) => (await ask(user)).text()))
      assert.deepEqual(await all(), ownIn(...before, ...after))
    })
  }

  test('is its own at the end of requests whose clients leave', async (t) => {
    const { app, all } = await started(
      t,
      () => ({}),
      (call) => call.sse(),
    )
    for (const user of USERS) {
      const client = await connect(t, app.port)
      client.request(
        'POST',
        `/ai${path}`,
        { 'content-type': 'application/json', 'x-user': user },
        JSON.stringify(request),
      )
      void client.sees('200 OK').then(() => client.leave())
    }
    assert.deepEqual(await all(), ownIn(...before, 'onResponse', 'settle', 'onFinish'))
  })

  test('is its own for the answer to requests that the app ends', async (t) => {
    const { app, ask, all } = await started(
      t,
      (_, note) => ({
        errors: (_, exchange) => note('errors', exchange),
      }),
      () => {},
    )
    const answers = USERS.map(async (user) => (await ask(user)).text())
    await until(() => app.proxy.exchanges().length === USERS.length, 'all are under way')
    for (const { id } of app.proxy.exchanges().slice(1)) app.proxy.abort(id)
    void app.proxy.close({ graceMs: 0 })
    await Promise.all(answers)
    assert.deepEqual(await all(), ownIn(...before, 'errors', 'settle', 'onFinish'))
  })

  test('is its own at the end of requests that take too long', async (t) => {
    const { ask, all } = await started(
      t,
      () => ({ limits: { firstByteTimeoutMs: 50 } }),
      () => {},
    )
    await Promise.all(USERS.map(async (user) => (await ask(user)).text()))
    assert.deepEqual(await all(), ownIn(...before, 'settle', 'onFinish'))
  })
})
