import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import { ChildProcesses } from '../../example-app/storm/child-processes.js'
import type { Tally } from '../../example-app/storm/messages.js'
import { Rates } from '../../example-app/storm/rates.js'
import { runStorm } from '../../example-app/storm/run-storm.js'
import { judge } from '../../example-app/storm/verdict.js'
import { runningApp } from './running-app.js'

test('invalid orders are rejected with the fix', async (t) => {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  for (const wrong of [
    {},
    { kind: 'rain', streams: 1, seconds: 1 },
    { kind: 'burst', streams: 0, seconds: 1 },
    { kind: 'burst', streams: 1e6, seconds: 1 },
    { kind: 'burst', streams: 1, seconds: 'x' },
  ]) {
    const response = await order(url, wrong)
    assert.equal(response.status, 400)
    assert.match(await response.text(), /Send {kind: burst \| leave \| stall \| break \| outage, streams: 1 to 300/)
  }
})

test('one storm runs at a time, and ends if its client leaves', async (t) => {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  const sane = { kind: 'leave', streams: 1, seconds: 1 }
  const leave = new AbortController()
  const first = await order(url, sane, leave.signal)
  assert.equal(first.status, 200)
  assert.equal((await order(url, sane)).status, 409)

  leave.abort()
  // As soon as its processes are gone, there is room for another.
  let next = await order(url, sane, t.signal)
  while (next.status === 409) next = await order(url, sane, t.signal)
  assert.equal(next.status, 200)
  await next.body?.cancel()
})

test('both contenders run and report their results', async () => {
  const told: string[] = []
  const results: Record<string, unknown>[] = []
  await runStorm(
    { kind: 'break', streams: 3, seconds: 2 },
    (event, data) => {
      const { contender } = data as { contender: string }
      if (told.at(-1) !== `${event} ${contender}`) told.push(`${event} ${contender}`)
      if (event === 'result') results.push(data as Record<string, unknown>)
    },
    new AbortController().signal,
  )
  assert.deepEqual(told, [
    ...['starting ours', 'sample ours', 'result ours'],
    ...['starting plain', 'sample plain', 'result plain'],
  ])
  const [ours] = results as { clients: { toldError: number; cut: number; refused: number } }[]
  assert.deepEqual([ours?.clients.toldError, ours?.clients.cut, ours?.clients.refused], [3, 0, 0])
})

test('while one of two providers goes down, our clients see no error, and those of the plain proxy do', async () => {
  const samples: { contender: string; perSecond?: { first: number; second: number } }[] = []
  const tallies: Tally[] = []
  const clients = 6
  await runStorm(
    { kind: 'outage', streams: clients, seconds: 3 },
    (event, data) => {
      if (event === 'sample') samples.push(data as (typeof samples)[number])
      if (event === 'result') tallies.push((data as { clients: { tally: Tally } }).clients.tally)
    },
    new AbortController().signal,
  )
  const [ours, plain] = tallies as [Tally, Tally]
  assert.equal(ours.error, 0)
  assert.ok(ours.first > 0 && ours.second > ours.first, JSON.stringify(ours))
  assert.ok(plain.first > 0 && plain.error > 0, JSON.stringify(plain))
  assert.equal(plain.second, 0, 'the plain proxy knows the first provider alone')
  assert.equal(ours.underWay, 0)
  // A stream that was under way when the first provider died may hang in the plain proxy for ever.
  for (const { cutMidAnswer, underWay } of [ours, plain]) {
    assert.ok(cutMidAnswer + underWay <= clients, 'only an answer that was under way can be cut')
  }
  const lastOf = (contender: string) =>
    samples.findLast((sample) => sample.contender === contender && sample.perSecond)?.perSecond
  const last = lastOf('ours')
  assert.ok(last && last.first === 0 && last.second > 0, JSON.stringify(last))
})

test('an answer is judged by what its client got of it', () => {
  const word = 'data: {"model":"first","choices":[{"delta":{"content":"A"}}]}\n\n'
  const role = 'data: {"model":"first","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
  const end = 'data: [DONE]\n\n'
  const error = 'data: {"error":{"code":"upstream_reset"}}\n\n'
  const stream = (body: string, isComplete = true) => judge({ status: 200, isComplete, isStream: true, body })
  const json = (body: string, isComplete = true) => judge({ status: 200, isComplete, isStream: false, body })

  assert.equal(stream(role + word + end), 'first')
  assert.equal(stream((role + word + end).replaceAll('first', 'second')), 'second')
  assert.equal(stream(role + word, false), 'cutMidAnswer')
  assert.equal(stream(role + word + error + end), 'cutMidAnswer', 'an error event says that the answer is cut')
  assert.equal(stream(role + word), 'cutMidAnswer', 'an answer that ends without its end is cut')
  assert.equal(stream(role, false), 'error', 'a role is no content')
  assert.equal(stream(role + error + end), 'error')
  assert.equal(stream('', false), 'error')
  const whole = '{"model":"second","choices":[{"message":{"content":"A"}}]}'
  assert.equal(json(whole), 'second')
  assert.equal(json(whole.slice(0, -2), false), 'cutMidAnswer')
  assert.equal(json('', false), 'error')
  assert.equal(json('{"error":{"message":"no"}}'), 'error')
  assert.equal(judge({ status: 502, isComplete: true, isStream: false, body: whole }), 'error')
  assert.equal(judge({ status: undefined, isComplete: false, isStream: true, body: '' }), 'error')
})

test('rates are those of a window that moves', () => {
  const rates = new Rates(['first', 'second'], 500)
  assert.deepEqual(rates.add(0, { first: 0, second: 5 }), { first: 0, second: 0 })
  assert.deepEqual(rates.add(250, { first: 10, second: 5 }), { first: 40, second: 0 })
  assert.deepEqual(rates.add(500, { first: 20, second: 10 }), { first: 40, second: 10 })
  assert.deepEqual(rates.add(1000, { first: 20, second: 20 }), { first: 0, second: 20 })
})

test('a child process that exits early ends the storm with a reason', async () => {
  const children = new ChildProcesses()
  const doesNothing = require.resolve('../../example-app/http/security-headers.ts')
  await assert.rejects(children.start(doesNothing, [], new AbortController().signal), { name: 'AbortError' })
  assert.match(String(children.failed.reason), /security-headers\.ts ended by itself \(0\)/)
  await children.stop()
})

function order(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${url}/storm/runs`, { method: 'POST', headers, body: JSON.stringify(body), signal })
}
