import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Express } from 'express'
import type { Journal, JournalWriter } from '../../lib/api/journal.js'
import type { AiProxyOptions, Policy } from '../../lib/index.js'
import { memoryJournal } from '../../lib/journal.js'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { startProvider } from './support/provider.js'

const STREAMS = 4
const usage = { prompt_tokens: 11, completion_tokens: 2000, total_tokens: 2011 }

/**
 * A stream of chat completions of which each event says whose it is: mostly small ones, some longer than a read, and one
 * that is longer than what a turn writes.
 */
function streamOf(name: string): string[] {
  const event = (choices: unknown, more = {}) =>
    `data: ${JSON.stringify({ id: name, object: 'chat.completion.chunk', model: name, choices, ...more })}\n\n`
  const lengthOf = (index: number) =>
    index === 2000 ? 200_000 : index % 400 === 399 ? 8000 : index % 50 === 49 ? 900 : 3
  const text = (index: number) => `${name}${index} `.repeat(lengthOf(index))
  const words = Array.from({ length: 4000 }, (_, index) => event([{ index: 0, delta: { content: text(index) } }]))
  const end = [event([{ index: 0, delta: {}, finish_reason: 'stop' }]), event([], { usage }), 'data: [DONE]\n\n']
  return [...words, ...end]
}

const variants: Readonly<Record<string, Omit<AiProxyOptions, 'target'>>> = {
  'without options': {},
  'with a hook that sees each event': { onEvent: () => undefined },
  'with a limit of tokens that is near': { limits: { maxOutputTokens: 20_000_000 } },
  'with an estimate of the app': { estimateTokens: ({ text }) => text.length / 4 },
  'with a key that must not come back': { auth: { headers: { authorization: 'Bearer the-key-of-the-provider' } } },
  'with a journal': { resume: { journal: memoryJournal({ maxBytes: 64 << 20 }), maxBytes: 16 << 20, who: () => 'a' } },
}

describe('streams that come in bursts, of which some clients read late,', () => {
  for (const [what, options] of Object.entries(variants)) {
    test(`are what the provider sent, each to its client, and are metered: ${what}`, async (t) => {
      const provider = await startProvider(t, {
        onCall: async (call) => {
          const { model } = JSON.parse(await call.text)
          call.res.writeHead(200, { 'content-type': 'text/event-stream' })
          call.res.cork()
          for (const event of streamOf(model)) call.send(event)
          call.res.uncork()
          call.end()
        },
      })
      const app = await startApp(t, { target: provider.url, ...options })
      const ask = (index: number) =>
        post(`${app.url}/v1/chat/completions`, {
          model: `stream-${index}`,
          stream: true,
          stream_options: { include_usage: true },
        })
      const responses = await Promise.all(Array.from({ length: STREAMS }, (_, index) => ask(index)))
      const textOf = async (response: Response) => (await response.text()).replaceAll(/^id: .*\n/gm, '')
      const soon = responses.filter((_, index) => index % 2 === 0).map(textOf)
      const texts = await Promise.all(soon)
      for (const late of responses.filter((_, index) => index % 2 === 1)) texts.push(await textOf(late))
      const wanted = Array.from({ length: STREAMS }, (_, index) => streamOf(`stream-${index}`).join(''))
      assert.deepEqual(
        texts.toSorted().map((text, index) => text === wanted[index]),
        wanted.map(() => true),
      )
      for (const { headers } of responses) {
        const url = headers.get('x-stream-url')
        if (url === null) continue
        const kept = await textOf(await fetch(new URL(`${url}?after=0`, app.url)))
        assert.ok(wanted.includes(kept), 'what was kept')
      }
      for (let index = 0; index < STREAMS; index++) {
        const record = await app.record()
        assert.deepEqual(
          [record.outcome, record.finishReason, record.usage?.outputTokens, record.events],
          ['completed', 'stop', 2000, 4003],
        )
      }
    })
  }
})

/** A stream that comes in reads of some 60 KB: the next one once the client has the one before. */
async function inLargeReads(t: TestContext, options: Omit<AiProxyOptions, 'target'>, around = {}) {
  const { prototype } = ArrayBuffer as unknown as { prototype: { transfer?: () => ArrayBuffer } }
  const detaching = prototype.transfer
    ? t.mock.method(prototype as { transfer: () => ArrayBuffer }, 'transfer')
    : t.mock.method(globalThis, 'structuredClone')
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, ...options }, around)
  const asked = post(`${app.url}/v1/chat/completions`, { model: 'a', stream: true })
  const call = (await provider.next()).sse()
  const events = new Events(await asked)
  const [each] = streamOf('a')
  const count = Math.floor(60_000 / each!.length)
  for (let round = 0; round < 20; round++) {
    call.send(each!.repeat(count))
    for (let at = 0; at < count; at++) assert.equal((await events.next())?.replace(/^id: .*\n/, ''), each)
  }
  call.end('data: [DONE]\n\n')
  assert.match((await events.rest()).join(), /^(?:id: .*\n)?data: \[DONE\]\n\n$/)
  return detaching.mock.callCount()
}

describe('memory of a large read', () => {
  test('is used again once its client has what was in it', async (t) => {
    assert.ok((await inLargeReads(t, {})) > 0)
  })

  test('is used again if a journal has copied it', async (t) => {
    assert.ok((await inLargeReads(t, { resume: { journal: memoryJournal(), who: () => 'a' } })) > 0)
  })

  test('is not if a journal keeps it', async (t) => {
    const journal = memoryJournal()
    const keeping = new Proxy(journal, {
      get(_, name: keyof Journal) {
        if (name === 'create') return (...args: Parameters<Journal['create']>) => uncopied(journal.create(...args))
        const member = journal[name]
        return typeof member === 'function' ? member.bind(journal) : member
      },
    })
    assert.equal(await inLargeReads(t, { resume: { journal: keeping, who: () => 'a' } }), 0)
  })

  test('is not while a policy holds some of it back', async (t) => {
    let seen = 0
    const holding: Policy = {
      name: 'holding',
      admit: (exchange) => exchange.watchFrom(1),
      progress(exchange) {
        if (exchange.generatedTokens < seen + 100) return undefined
        seen = exchange.generatedTokens
        exchange.watchFrom(seen + 100)
        setImmediate(exchange.pause())
        return undefined
      },
    }
    await inLargeReads(t, { policies: [holding], onEvent: () => undefined })
  })

  for (const name of ['write', '_write', '_writev'] as const) {
    test(`is not if the app wraps the ${name} of a connection, and so may keep what was written`, async (t) => {
      const before = (app: Express) =>
        app.use(({ socket }, _res, next) => {
          const wrapped = socket[name]!.bind(socket) as (...args: unknown[]) => unknown
          Object.assign(socket, { [name]: (...args: unknown[]) => wrapped(...args) })
          next()
        })
      assert.equal(await inLargeReads(t, {}, { before }), 0)
    })
  }
})

/** The same writer for those who do not know that it copies. */
function uncopied(writer: JournalWriter): JournalWriter {
  return {
    get readers() {
      return writer.readers
    },
    setHead: (head) => writer.setHead(head),
    append: (batch) => writer.append(batch),
    end: (end) => writer.end(end),
    discard: () => writer.discard(),
  }
}
