import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import { ChildProcesses } from '../../example-app/storm/child-processes.js'
import { runStorm } from '../../example-app/storm/run-storm.js'
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
    assert.match(await response.text(), /Send {kind: burst \| leave \| stall \| break, streams: 1 to 300/)
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
