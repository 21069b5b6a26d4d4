import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { describe, test } from 'node:test'
import { type Runnable, TurnScheduler } from '../../lib/scheduling/turns.js'
import { startApp } from './support/app.js'
import { startProvider } from './support/provider.js'
import { Queue } from './support/waiting.js'

const ask = (url: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"model":"m"}',
  })

describe('outgoing requests', () => {
  test('take a turn before they are sent', async (t) => {
    const takers = new Queue<Runnable>('a request that wants its turn')
    t.mock.method(TurnScheduler.prototype, 'runOrEnqueue', (taker: Runnable) => takers.push(taker))
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = ask(app.url)
    const taker = await takers.next()
    assert.equal(provider.calls.length, 0)
    assert.equal(app.proxy.exchanges()[0]?.phase, 'receiving')
    taker.runTurn(0)
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    assert.equal((await answer).status, 200)
    assert.ok(taker.extraCostMs! > 0)
  })

  test('fail alone if one of them cannot be sent', async (t) => {
    const provider = await startProvider(t)
    const agent = new Agent()
    const broken = Object.assign(new Agent(), {
      addRequest() {
        throw new Error('no connection for you')
      },
    })
    const app = await startApp(t, { target: provider.url, proxy: { agent: broken } })
    const other = await startApp(t, { target: provider.url, proxy: { agent } })
    t.after(() => agent.destroy())
    const [refused, answer] = [ask(app.url), ask(other.url)]
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    assert.equal((await answer).status, 200)
    assert.ok((await refused).status >= 500)
    assert.notEqual((await app.record()).outcome, 'completed')
  })
})
