import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Redis from 'ioredis'
import { memoryStore, type QuotaStore, quota, redisStore } from '../../lib/quota.js'
import { startRedis, withoutRedis } from '../support/redis.js'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { chatChunk } from './support/streams.js'

const { path, request } = openai
const key = 'user:ada'
const TURNS = 30
const word = chatChunk([{ index: 0, delta: { content: ' word' }, finish_reason: null }])

const stores = {
  memory: { skip: false, open: () => memoryStore() },
  Redis: {
    skip: withoutRedis,
    open: async (t: TestContext) => {
      const server = await startRedis()
      t.after(server.stop)
      const client = new Redis(server.port, '127.0.0.1')
      t.after(() => client.disconnect())
      return redisStore({ client })
    },
  },
} satisfies Record<string, { skip: string | false; open(t: TestContext): QuotaStore | Promise<QuotaStore> }>

for (const [name, { skip, open }] of Object.entries(stores)) {
  test(`a client that cancels a stream each turn holds nothing, and pays for what it got (${name})`, {
    skip,
  }, async (t) => {
    const policy = quota({
      store: await open(t),
      // Room for two at once; what any of them held would keep the third out.
      limits: [
        { key, tokens: 2500, requests: TURNS, per: 'month' },
        { key, concurrent: 2 },
      ],
      countInput: () => 40,
    })
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, identify: () => 'ada', policies: [policy] })
    for (let turn = 1; turn <= TURNS; turn++) {
      const client = (await connect(t, app.port)).post(`/ai${path}`, { ...request, max_tokens: 900 })
      const call = await provider.next()
      call.sse().send(word)
      await client.sees('word')
      client.leave()
      assert.equal((await app.record()).outcome, 'client_disconnect')
    }
    await app.proxy.close()
    const used = Object.fromEntries((await policy.status(key)).map((limit) => [limit.kind, limit.used]))
    // The input that was reserved, and a word.
    assert.deepEqual(used, { requests: TURNS, tokens: TURNS * 41, concurrent: 0 })
  })
}
