import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import fc from 'fast-check'
import { type RedisServer, startRedis, withoutRedis } from '../../support/redis.js'
import { openai } from '../support/protocols.js'
import { type Owner, type Provider, startProvider } from '../support/provider.js'
import { within } from '../support/waiting.js'
import { assertEachOnce, chunk, type IdentifiedEvent, last, readSome, wholeEvents } from './cutting.js'

const { path, request, terminator } = openai
const user = { 'x-user': 'ada' }
/** More than the answers have. */
const EVERYTHING = Number.POSITIVE_INFINITY

describe('a client that goes on at another of three processes after each cut', { skip: withoutRedis }, () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  const children: ChildProcess[] = []
  let server: RedisServer
  let provider: Provider
  let origins: string[]
  let sent: readonly string[] = []

  before(async () => {
    server = await startRedis()
    cleaning.push(server.stop)
    provider = await startProvider(owner, {
      // An event at a time, so that clients are cut and go on in mid-answer.
      onCall: async (call) => {
        call.sse()
        for (const event of sent) {
          call.send(event)
          for (let rounds = 0; rounds < 20; rounds++) await nextRound()
        }
        call.end()
      },
    })
    origins = await Promise.all([1, 2, 3].map(start))
  })
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    for (const clean of cleaning) await clean()
  })

  async function start(): Promise<string> {
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
    const args = [String(server.port), provider.url]
    const child = fork(join(__dirname, 'journal-process.ts'), args, { execArgv: ['--import', 'tsx'], env })
    children.push(child)
    const [port] = await within(once(child, 'message'), 'a process to listen', 120_000)
    return `http://127.0.0.1:${port}`
  }

  test('gets each event once, and one end', async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    t.diagnostic(`seed ${seed}`)
    let cutShort = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 60 }), { minLength: 10, maxLength: 40 }),
        fc.nat(2),
        // Bytes after which the connection is cut, and how far away the next process is.
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1500 }), fc.constantFrom(1, 2)), { minLength: 2, maxLength: 8 }),
        async (texts, first, cuts) => {
          sent = [...texts.map(chunk), last, terminator]
          let at = first
          const begun = await readSome(`${origins[at]}/ai${path}`, user, cuts[0]![0], request)
          const got: IdentifiedEvent[] = wholeEvents(begun.text)
          const stream = begun.headers['x-stream-url'] as string
          const goOn = async (bytes: number) => {
            const lastId = got.at(-1)?.id
            const headers = { ...user, ...(lastId !== undefined && { 'last-event-id': lastId }) }
            const read = await readSome(origins[at] + stream, headers, bytes)
            got.push(...wholeEvents(read.text))
            if (read.status !== 204 && !read.text.includes(terminator)) cutShort++
            return read.status
          }
          for (const [bytes, step] of [...cuts.slice(1), [EVERYTHING, 1] as const]) {
            at = (at + step) % origins.length
            await goOn(bytes)
          }
          assertEachOnce(got, sent)
          // It is over, wherever the client asks.
          for (at = 0; at < origins.length; at++) assert.equal(await goOn(EVERYTHING), 204)
        },
      ),
      { numRuns: 12, seed },
    )
    assert.ok(cutShort > 0)
  })
})
