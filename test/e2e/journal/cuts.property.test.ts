import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import type { Journal } from '../../../lib/api/journal.js'
import { memoryJournal, redisJournal } from '../../../lib/journal.js'
import { type RedisServer, startRedis, withoutRedis } from '../../support/redis.js'
import { startApp } from '../support/app.js'
import { openai } from '../support/protocols.js'
import { type Owner, startProvider } from '../support/provider.js'
import { assertEachOnce, chunk, type IdentifiedEvent, last, readSome, wholeEvents } from './cutting.js'

const { path, request, terminator } = openai
/** Takes an answer apart at any places, and puts it together by ids, on any of the processes. */
async function check(t: Owner, journals: readonly Journal[], runs: number): Promise<void> {
  let texts: readonly string[] = []
  const provider = await startProvider(t, {
    onCall: (call) => call.sse(texts.map(chunk)).send(last).end(terminator),
  })
  const apps = await Promise.all(
    journals.map((journal) => startApp(t, { target: provider.url, resume: { journal, who: () => 'ada' } })),
  )
  const anyApp = fc.nat(apps.length - 1)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 40 }), { maxLength: 12 }),
      anyApp,
      fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), anyApp), { minLength: 1, maxLength: 6 }),
      async (given, first, cuts) => {
        texts = given
        const sent = [...given.map(chunk), last, terminator]
        const got: IdentifiedEvent[] = []
        const [[bytes]] = cuts as [[number, number]]
        const begun = await readSome(apps[first]!.url + path, {}, bytes, request)
        got.push(...wholeEvents(begun.text))
        const at = begun.headers['x-stream-url'] as string
        const next = async (app: number, most: number) => {
          const lastId = got.at(-1)?.id
          const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId }
          const read = await readSome(new URL(at, apps[app]!.url).href, headers, most)
          got.push(...wholeEvents(read.text))
          return read.status
        }
        for (const [most, app] of cuts.slice(1)) if ((await next(app, most)) === 204) break
        while ((await next(first, Number.POSITIVE_INFINITY)) !== 204) {}
        assertEachOnce(got, sent)
      },
    ),
    { numRuns: runs },
  )
}

describe('for any cuts, the events by their ids are those of the provider: none twice, none lost', () => {
  test('in memory', async (t) => {
    const journal = memoryJournal()
    t.after(() => journal.close())
    await check(t, [journal], 60)
  })

  describe('in Redis, on any of three processes', { skip: withoutRedis }, () => {
    let server: RedisServer
    before(async () => {
      server = await startRedis()
    })
    after(() => server.stop())

    test('each with clients of its own', async (t) => {
      const clients = Array.from({ length: 3 }, () => new Redis(server.port, '127.0.0.1'))
      const journals = clients.map((client) => redisJournal({ client }))
      t.after(async () => {
        await Promise.all(journals.map((journal) => journal.close()))
        for (const client of clients) client.disconnect()
      })
      await check(t, journals, 30)
    })
  })
})
