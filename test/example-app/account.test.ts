/** Who has signed in, what is left of the day, and who used what. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import type { ExchangeRecord } from 'express-ai-proxy'
import { chooseProvider } from '../../example-app/providers/choose-providers.js'
import { parsePrices } from '../../example-app/providers/prices.js'
import { chooseStorage } from '../../example-app/storage/choose-storage.js'
import { type LimitsByTier, nextDay } from '../../example-app/usage/day-quota.js'
import { UsageLedger, type UsageRow } from '../../example-app/usage/usage-ledger.js'
import { startRedis, withoutRedis } from '../support/redis.js'
import { newVisitor, prompt, runningApp, unreachable } from './running-app.js'
import { scriptedProvider } from './scripted-provider.js'

const prices = { any: { input: 2, output: 8 } }
const full: LimitsByTier = {
  paid: { tokens: 10_000, cost: 1 },
  free: { tokens: 2000, cost: 0.5 },
  guest: { tokens: 5000, cost: 5 },
}
/** What the scripted provider reports for each answer: 1,000 tokens in, 500 out. */
const perAnswer = { tokens: 1500, cost: 0.006 }

test('a browser in which nobody has signed in gets the first demo user, and can switch', async (t) => {
  const { provider } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices, limits: full })

  const first = await fetch(`${url}/account`)
  const account = (await first.json()) as Account
  assert.equal(account.user, 'ada')
  assert.deepEqual(
    account.users.map(({ id, team }) => [id, team]),
    [
      ['ada', 'Acme'],
      ['bo', 'Umbrella'],
    ],
  )
  assert.deepEqual(account.left, [
    { kind: 'tokens', allowed: 10_000, left: 10_000 },
    { kind: 'cost', allowed: 1, left: 1 },
  ])
  assert.match(String(first.headers.getSetCookie()), /^example-user=ada; Path=\/; HttpOnly; SameSite=Strict$/)

  const ada = cookieIn(first)
  const again = await fetch(`${url}/account`, { headers: { cookie: ada } })
  assert.deepEqual(again.headers.getSetCookie(), [], 'who has signed in stays so')
  const switched = await switchTo(url, 'bo', ada)
  assert.equal(switched.account.user, 'bo')
  assert.deepEqual(switched.account.left?.[0], { kind: 'tokens', allowed: 2000, left: 2000 })
  assert.equal((await accountOf(url, switched.cookie)).user, 'bo')
})

test('there is no signing in as somebody else, and a strange cookie signs nobody in', async (t) => {
  const { provider } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { dashboard: true })
  for (const body of ['{"id":"guest"}', '{"id":"__proto__"}', '{"id":["bo"]}', '{}', '[]', '']) {
    const response = await fetch(`${url}/account/user`, { method: 'PUT', headers: json, body })
    assert.equal(response.status, 400, body)
    assert.deepEqual(response.headers.getSetCookie(), [], body)
  }
  for (const cookie of ['example-user=eve', 'example-user=', 'example-user=adabo', 'not-example-user=bo']) {
    const response = await fetch(`${url}/account`, { headers: { cookie } })
    assert.equal(((await response.json()) as Account).user, 'ada', cookie)
    assert.equal(response.headers.getSetCookie().length, 1, cookie)
  }
})

test('what an answer used is taken from the day of its user alone, in tokens and money', async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices, limits: full, dashboard: true })
  const ada = cookieIn(await fetch(`${url}/account`))

  const answered = ask(url, ada)
  const asked = await next()
  const during = await accountOf(url, ada)
  assert.ok(during.left![0]!.left < 10_000, 'what the answer may use is held while it is under way')
  asked.write('Hello.')
  asked.end()
  assert.equal((await answered).status, 200)

  const { left } = await accountOf(url, ada)
  assert.deepEqual(left, [
    { kind: 'tokens', allowed: 10_000, left: 10_000 - perAnswer.tokens },
    { kind: 'cost', allowed: 1, left: 1 - perAnswer.cost },
  ])
  const { users } = await stateOf(url)
  assert.deepEqual(
    users.map(({ id, left }) => [id, left?.[0]?.left]),
    [
      ['ada', 8500],
      ['bo', 2000],
      ['guest', 5000],
    ],
  )
})

test('a prompt that the quota has no room for is refused with 429, and the provider is not asked', async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices, limits: full, dashboard: true })
  const { cookie: bo } = await switchTo(url, 'bo')
  const answered = ask(url, bo)
  const asked = await next()
  asked.write('Hello.')
  asked.end()
  assert.equal((await answered).status, 200)

  const refused = await ask(url, bo)
  assert.equal(refused.status, 429)
  assert.match(refused.body, /"code":"quota_exceeded"/)
  const wait = Number(refused.headers.get('retry-after'))
  const untilMidnight = (nextDay() - Date.now()) / 1000
  assert.ok(wait > 0 && Math.abs(wait - untilMidnight) < 5, `room in ${wait} s, midnight in ${untilMidnight} s`)

  // Neither Ada nor who has not signed in is affected.
  for (const cookie of ['example-user=ada', '']) {
    const other = ask(url, cookie)
    const theirs = await next()
    theirs.write('Hello.')
    theirs.end()
    assert.equal((await other).status, 200)
  }
  const { rows } = await stateOf(url)
  assert.deepEqual(
    rows.map(({ user, model, answers, refused, inputTokens, outputTokens, cost }) => {
      return [user, model, answers, refused, inputTokens, outputTokens, cost]
    }),
    [
      ['bo', 'any', 1, 1, 1000, 500, 0.006],
      ['ada', 'any', 1, 0, 1000, 500, 0.006],
      ['guest', 'any', 1, 0, 1000, 500, 0.006],
    ],
  )
})

test('a model without a price uses tokens alone', async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices: { another: prices.any }, limits: full })
  const answered = ask(url, 'example-user=ada')
  const asked = await next()
  asked.write('Hello.')
  asked.end()
  assert.equal((await answered).status, 200)
  const { left } = await accountOf(url, 'example-user=ada')
  assert.deepEqual(
    left?.map(({ left }) => left),
    [8500, 1],
  )
})

test('without prices, money is neither limited nor shown', async (t) => {
  const { provider } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { limits: full })
  const { left } = await accountOf(url, '')
  assert.deepEqual(
    left?.map(({ kind }) => kind),
    ['tokens'],
  )
})

test('the Usage page sees answers under way, and their user', async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices, dashboard: true })
  const answered = ask(url, 'example-user=bo')
  const asked = await next()
  const { active, rows } = await stateOf(url)
  assert.deepEqual(
    active.map(({ user, model }) => [user, model]),
    [['bo', 'any']],
  )
  assert.deepEqual(rows, [])
  asked.end()
  await answered
})

test('an answer that is continued counts once on the Usage page while it is under way', async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { prices, dashboard: true })
  const headers = { 'content-type': 'application/json', cookie: 'example-user=bo' }
  const body = JSON.stringify({ model: 'any', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  const answering = fetch(`${url}/ai/v1/chat/completions`, { method: 'POST', headers, body })
  const asked = await next()
  asked.write('Hello.')
  const answer = await answering
  const continued = await fetch(`${url}/ai/-/streams/${answer.headers.get('x-stream-id')}`, { headers })
  assert.equal(continued.status, 200)
  const { active } = await stateOf(url)
  assert.deepEqual(
    active.map(({ user, model }) => [user, model]),
    [['bo', 'any']],
  )
  asked.end()
  await Promise.all([answer.text(), continued.text()])
})

test('the sign-in cookie never reaches the provider', async (t) => {
  const server = createServer((_req, res) => res.end('{}')).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const url = await runningApp(t, await chooseProvider({ AI_TARGET: `http://127.0.0.1:${port}` }))
  const reached = once(server, 'request')
  await ask(url, 'example-user=bo')
  const [request] = await reached
  assert.equal(request.headers.cookie, undefined)
})

test('the ledger adds up by user and model, and bounds its rows', () => {
  const ledger = new UsageLedger(2)
  const record = (subject: string, model: string | undefined, more: object = {}) =>
    ({ subject, model, attempts: [{}], status: 200, outcome: 'completed', ...more }) as unknown as ExchangeRecord
  const tokens = { uncachedInput: 1, cachedInput: 2, cacheWrite: 3, visibleOutput: 4, reasoning: 5, total: 15 }
  ledger.add(record('ada', 'a', { tokens, cost: 1, usage: { estimated: false } }))
  ledger.add(record('ada', 'a', { tokens, cost: 2, usage: { estimated: true } }))
  ledger.add(record('ada', 'a', { attempts: [], tokens, cost: 0, cache: 'hit', usage: { estimated: false } }))
  ledger.add(record('ada', undefined, { tokens }))
  ledger.add(record('bo', 'a', { attempts: [], status: 429 }))
  ledger.add(record('bo', 'a', { attempts: [], status: undefined })) // the client left before
  for (const outcome of ['provider_error', 'upstream_error', 'limit_exceeded', 'shutdown']) {
    ledger.add(record('bo', 'a', { outcome }))
  }
  ledger.add(record('bo', 'a', { outcome: 'client_disconnect' }))
  ledger.add(record('bo', 'a', { outcome: 'rejected', code: 'aborted' }))
  for (const model of ['b', 'c', 'd'.repeat(1000)]) ledger.add(record('bo', model))
  const none = {
    answers: 0,
    failed: 0,
    cached: 0,
    refused: 0,
    inputTokens: 0,
    outputTokens: 0,
    cost: undefined,
    isEstimated: false,
  }
  assert.deepEqual(ledger.rows, [
    {
      ...{ user: 'ada', model: 'a', answers: 2, failed: 0, cached: 1, refused: 0 },
      ...{ inputTokens: 12, outputTokens: 18, cost: 3, isEstimated: true },
    },
    { ...none, user: 'bo', model: 'a', answers: 2, failed: 4, refused: 1 },
    { ...none, user: 'bo', model: 'other models', answers: 3 },
  ])
})

test('a new day begins at midnight, UTC', () => {
  assert.equal(nextDay(Date.UTC(2026, 1, 28, 23, 59, 59, 999)), Date.UTC(2026, 2, 1))
  assert.equal(nextDay(Date.UTC(2026, 2, 1)), Date.UTC(2026, 2, 2))
})

test('MODEL_PRICES must be prices', () => {
  assert.deepEqual(parsePrices('{"a":{"input":1,"output":2,"cachedInput":0}}'), {
    a: { input: 1, output: 2, cachedInput: 0 },
  })
  assert.deepEqual(parsePrices(''), {})
  for (const text of ['{', '[]', '{"a":1}', '{"a":{"input":1}}', '{"a":{"input":1,"output":-1}}']) {
    assert.throws(() => parsePrices(text), /^Error: MODEL_PRICES must be JSON/, text)
  }
  assert.throws(() => parsePrices('{"a":{"input":1,"output":2,"cached":3}}'), /MODEL_PRICES must be JSON/)
})

test('REDIS_URL must be the URL of a Redis that can be reached, and its password is not shown', async () => {
  await assert.rejects(chooseStorage({ REDIS_URL: 'localhost:6379' }), /^Error: REDIS_URL must be a URL such as redis:/)
  await assert.rejects(
    chooseStorage({ REDIS_URL: 'http://localhost' }),
    /^Error: REDIS_URL must be a URL such as redis:/,
  )
  const { host } = new URL(await unreachable())
  await assert.rejects(chooseStorage({ REDIS_URL: `redis://:secret@${host}` }), (error: Error) => {
    assert.match(error.message, /^The Redis at 127\.0\.0\.1:\d+ \(REDIS_URL\) cannot be reached: .*ECONNREFUSED/)
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
  assert.equal((await chooseStorage({})).name, 'in memory')
})

test('with REDIS_URL, two apps share the day of a user', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis()
  const REDIS_URL = `redis://127.0.0.1:${redis.port}`
  const stores = await Promise.all([chooseStorage({ REDIS_URL }), chooseStorage({ REDIS_URL })])
  const { provider, next } = await scriptedProvider(t)
  const urls = await Promise.all(stores.map(({ store }) => runningApp(t, provider, { prices, limits: full, store })))
  // Registered last, so it runs after the apps have closed.
  t.after(async () => {
    for (const store of stores) await store.close()
    await redis.stop()
  })
  assert.equal(stores[0].name, `in the Redis at 127.0.0.1:${redis.port}`)

  const answered = ask(urls[0]!, 'example-user=bo')
  const asked = await next()
  asked.write('Hello.')
  asked.end()
  assert.equal((await answered).status, 200)
  let left: Account['left']
  do left = (await accountOf(urls[1]!, 'example-user=bo')).left
  while (left?.[0]?.left !== 500) // until the first app has settled
  assert.equal((await ask(urls[1]!, 'example-user=bo')).status, 429)

  await redis.kill()
  assert.equal((await accountOf(urls[1]!, 'example-user=bo')).left, undefined, 'what is left is not known')
})

test('with REDIS_URL, one app continues the answer that another began', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis()
  const REDIS_URL = `redis://127.0.0.1:${redis.port}`
  const both = await Promise.all([chooseStorage({ REDIS_URL }), chooseStorage({ REDIS_URL })])
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  const { provider, next } = await scriptedProvider(t)
  const urls = await Promise.all(both.map(({ store, journal }) => runningApp(t, provider, { store, journal })))
  t.after(async () => {
    process.off('warning', onWarning)
    for (const storage of both) await storage.close()
    await redis.stop()
  })
  const cookie = 'example-user=ada'
  const leave = new AbortController()
  const asking = fetch(`${urls[0]}/ai/v1/chat/completions`, {
    ...prompt('Hi', 'begun-on-one', cookie),
    signal: leave.signal,
  })
  const asked = await next()
  asked.write('One ')
  const begun = await asking
  const reader = begun.body!.getReader()
  assert.match(Buffer.from((await reader.read()).value!).toString(), /One /)
  leave.abort()
  const continued = await fetch(urls[1] + begun.headers.get('x-stream-url')!, { headers: { cookie } })
  assert.equal(continued.status, 200)
  asked.write('two')
  asked.end()
  const texts = [...(await continued.text()).matchAll(/"content":"([^"]*)"/g)].map(([, text]) => text)
  assert.deepEqual(texts, ['One ', 'two'])
  assert.deepEqual(warnings, [])
})

const json = { 'content-type': 'application/json' }

interface Account {
  user: string
  users: { id: string; team: string }[]
  left?: { kind: string; allowed: number; left: number }[]
}

interface State {
  users: { id: string; left?: Account['left'] }[]
  rows: UsageRow[]
  active: { user: string; model: string }[]
}

async function accountOf(url: string, cookie: string): Promise<Account> {
  return (await (await fetch(`${url}/account`, { headers: { cookie } })).json()) as Account
}

async function stateOf(url: string): Promise<State> {
  return (await (await fetch(`${url}/usage/state`)).json()) as State
}

async function switchTo(url: string, id: string, cookie = '') {
  const headers = { ...json, cookie }
  const response = await fetch(`${url}/account/user`, { method: 'PUT', headers, body: JSON.stringify({ id }) })
  assert.equal(response.status, 200)
  return { account: (await response.json()) as Account, cookie: cookieIn(response) }
}

function cookieIn(response: Response): string {
  return String(response.headers.getSetCookie()[0]).split(';')[0]!
}

/** Sends a prompt, and waits until its exchange has ended. */
async function ask(url: string, cookie: string) {
  const visitor = await newVisitor(url)
  const id = `${visitor.slice(-8)}-prompt`
  const response = await fetch(`${url}/ai/v1/chat/completions`, prompt('Hi', id, [visitor, cookie].join('; ')))
  const { status, headers } = response
  const body = await response.text()
  await fetch(`${url}/records/${id}`, { headers: { cookie: visitor } })
  return { status, headers, body }
}
