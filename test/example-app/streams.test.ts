import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { test } from 'node:test'
import { chooseProvider, chooseProviders } from '../../example-app/providers/choose-providers.js'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import { endlessProviders } from './endless-provider.js'
import { closed, prompt, runningApp, urlOf } from './running-app.js'

const pages = ['streams/', 'usage/', 'storm/']
const theirs = ['streams/state', 'usage/state', 'usage/usage.mjs', 'streams/streams.mjs', 'storm/storm.mjs']

test('the dashboard is off unless the app mounts it', async (t) => {
  const url = await runningApp(t, await startLocalProvider())
  for (const path of [...pages, ...theirs]) assert.equal((await fetch(`${url}/${path}`)).status, 404, path)
  assert.equal((await fetch(`${url}/storm/runs`, { method: 'POST' })).status, 404)
  assert.match(await (await fetch(`${url}/settings`)).text(), /"dashboard":false/)
})

test('every page may load from this app only', async (t) => {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  for (const page of ['chat/', ...pages]) {
    const response = await fetch(`${url}/${page}`)
    assert.equal(response.status, 200)
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /)
    assert.doesNotMatch(policy, /unsafe|http|\*/)
    const html = await response.text()
    assert.doesNotMatch(html, /<script(?![^>]* src=)|<style| style=| on[a-z]+=|(?:src|href)="(?:https?:)?\/\//)
  }
})

test('a running exchange is shown, aborted, and shown as ended', async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const states = statesOf(url)
  const answer = await fetch(`${url}/ai/v1/chat/completions`, prompt('Tell me a long story.', 'one'))

  const { active } = await until(states, ({ active }) => active.length === 1)
  const [row] = active
  assert.equal(row?.provider, 'openai')
  assert.equal(row?.model, 'any')
  const aborted = await fetch(`${url}/streams/exchanges/${row?.id}`, { method: 'DELETE' })
  assert.equal(aborted.status, 204)
  assert.match(await answer.text(), /"code":"aborted"/)

  const { finished } = await until(states, ({ finished }) => finished.length === 1)
  assert.equal(finished[0]?.code, 'aborted')
  assert.equal(finished[0]?.outcome, 'rejected')
  const again = await fetch(`${url}/streams/exchanges/${row?.id}`, { method: 'DELETE' })
  assert.equal(again.status, 404)
  await states.return()
})

test('a page gets what is new, and all that is known if its last state is of an earlier run of the app', async (t) => {
  const url = await runningApp(t, await startLocalProvider({ eventsPerSecond: 1000 }), { dashboard: true })
  await (await fetch(`${url}/ai/v1/chat/completions`, prompt('Hello!', 'one'))).text()
  const state = async (since: string) => {
    return (await (await fetch(`${url}/streams/state?since=${encodeURIComponent(since)}`)).json()) as State
  }
  let first = await state('')
  while (first.finished.length === 0) first = await state('')
  assert.equal(first.isFirst, true)
  const second = await state(first.next)
  assert.deepEqual([second.isFirst, second.finished], [false, []])
  const again = await state(second.next.replace(/^\S+/, 'earlier-run'))
  assert.deepEqual([again.isFirst, again.finished], [true, first.finished])
})

test('an exchange whose provider is silent gets an answer when it is aborted, and its provider stops', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1')
  t.after(() => closed(silent))
  const provider = await chooseProvider({ AI_TARGET: await urlOf(silent) })
  const url = await runningApp(t, provider, { dashboard: true })
  const states = statesOf(url)
  const asked = once(silent, 'request')
  const answered = fetch(`${url}/ai/v1/chat/completions`, prompt('Hi', 'one'))
  const [, answer] = await asked
  const stopped = once(answer, 'close')

  const { active } = await until(states, ({ active }) => active[0]?.phase === 'waiting')
  assert.equal(active[0]?.status, undefined, 'nothing has been sent to the client')
  await fetch(`${url}/streams/exchanges/${active[0]?.id}`, { method: 'DELETE' })
  assert.equal((await answered).status, 503)
  await stopped
  await until(states, ({ finished }) => finished[0]?.code === 'aborted')
  await states.return()
})

test('no key reaches a page, whatever the provider', async (t) => {
  const keys = { OPENAI_API_KEY: 'sk-one', ANTHROPIC_API_KEY: 'sk-two', GEMINI_API_KEY: 'sk-three' }
  const url = await runningApp(t, await chooseProviders(keys), { dashboard: true })
  const states = statesOf(url)
  const served = [JSON.stringify((await states.next()).value)]
  await states.return()
  for (const path of ['chat/', 'settings', ...pages]) served.push(await (await fetch(`${url}/${path}`)).text())
  for (const key of Object.values(keys)) assert.ok(!served.join().includes(key), key)
})

test("another site's page cannot read, abort or start a storm", async (t) => {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  for (const [method, path] of [
    ['GET', 'streams/state'],
    ['DELETE', 'streams/exchanges/1'],
    ['POST', 'storm/runs'],
  ]) {
    // fetch would not let us say where we come from
    const call = request(`${url}/${path}`, { method, headers: { 'sec-fetch-site': 'cross-site' } }).end()
    const [answer] = await once(call, 'response')
    assert.equal(answer.statusCode, 403, path)
    answer.resume()
  }
})

interface State {
  isFirst: boolean
  next: string
  active: { id: string; provider: string; model: string; phase: string; status?: number }[]
  finished: { code?: string; outcome: string }[]
}

/** The states that a page gets: each request asks for what is new since the state before. */
async function* statesOf(url: string): AsyncGenerator<State, void> {
  let next = ''
  while (true) {
    const state = (await (await fetch(`${url}/streams/state?since=${encodeURIComponent(next)}`)).json()) as State
    next = state.next
    yield state
  }
}

async function until(states: AsyncGenerator<State, void>, isIt: (state: State) => boolean): Promise<State> {
  while (true) {
    const { value } = await states.next()
    assert.ok(value, 'it went on')
    if (isIt(value)) return value
  }
}
