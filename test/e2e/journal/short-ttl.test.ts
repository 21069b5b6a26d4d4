import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Journal } from '../../../lib/api/journal.js'
import { memoryJournal, redisJournal } from '../../../lib/journal.js'
import { clients } from '../../journal/clients.js'
import { startRedis, withoutRedis } from '../../support/redis.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'
import { withoutId } from './support.js'

const { path, frames } = streams.chat
const request = { ...openai.request, temperature: 0 }

const journals: Record<string, (t: TestContext) => Promise<Journal>> = {
  memory: async () => memoryJournal(),
  Redis: async (t) => {
    const server = await startRedis()
    const { client, close } = await clients.ioredis(server.port)
    const journal = redisJournal({ client })
    t.after(async () => {
      await journal.close()
      close()
      await server.stop()
    })
    return journal
  },
}

async function started(t: TestContext, journal: Journal, ttlMs: number) {
  const provider = await startProvider(t, { onCall: (call) => sendStream(call, streams.chat, frames).end() })
  const app = await startApp(t, {
    target: provider.url,
    resume: { journal, who: () => 'ada' },
    cache: { journal, ttlMs, scope: () => 'all' },
  })
  const ask = async () => {
    const response = await post(app.url + path, request)
    return { response, how: response.headers.get('x-cache'), events: new Events(response) }
  }
  return { app, ask }
}

for (const [name, open] of Object.entries(journals)) {
  describe(`an answer that is soon too old for others, in ${name}`, { skip: name === 'Redis' && withoutRedis }, () => {
    test('can be continued by those that have got it', async (t) => {
      const { app, ask } = await started(t, await open(t), 1)
      const first = await ask()
      const events = await first.events.rest()
      await app.record()
      // Others do not get it any more.
      for (let asked = await ask(); asked.how === 'hit'; asked = await ask()) await asked.events.rest()
      const url = `${app.url}/-/streams/${first.response.headers.get('x-stream-id')}`
      const again = await fetch(`${url}?after=1`)
      assert.equal(again.status, 200)
      assert.deepEqual((await new Events(again).rest()).map(withoutId), events.slice(1).map(withoutId))
    })
  })
}
