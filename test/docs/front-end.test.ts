import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { ChatTransport, UIMessage } from 'ai'
import express, { type RequestHandler } from 'express'
import OpenAI, { type ClientOptions } from 'openai'
import { type AiProxy, aiProxy } from '../../lib/index.js'
import { type Call, listen, type Owner, type Provider, startProvider } from '../e2e/support/provider.js'
import { type Block, pages } from './pages.js'
import { write } from './running.js'
import { makeWorkshop } from './workshop.js'

type Ask = (prompt: string, onText: (text: string) => void, signal?: AbortSignal) => Promise<void>

const find = (page: string, begin: string): Block =>
  pages.find(({ file }) => file === page)?.blocks.find(({ code }) => code.startsWith(begin)) ?? assert.fail(begin)

const chunk = (content: string, reason: string | null = null) => {
  const choices = [{ index: 0, delta: { content }, finish_reason: reason }]
  return `data: ${JSON.stringify({ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`
}

describe("front-end code runs in a page of the app's origin", () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  let folder: string
  let ai: AiProxy
  let provider: Provider
  let answer: (call: Call) => unknown
  let signIn: RequestHandler
  before(async () => {
    const workshop = makeWorkshop()
    cleaning.push(workshop.remove)
    folder = workshop.folder
    provider = await startProvider(owner, { onCall: (call) => answer(call) })
    ai = aiProxy({ target: provider.url })
    cleaning.unshift(() => ai.close({ graceMs: 0 }))
    const app = express().use('/ai', (req, res, next) => signIn(req, res, next), ai)
    const port = await listen(owner, http.createServer(app))
    // What a page has, and Node has not: a document, a place, and addresses that are relative to it.
    const origin = `http://127.0.0.1:${port}`
    Object.assign(globalThis, { location: { origin }, window: { document: {} } })
    const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
    Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'a page' }, configurable: true })
    const { fetch } = globalThis
    globalThis.fetch = (input, init) => fetch(typeof input === 'string' ? new URL(input, origin) : input, init)
    cleaning.push(() => {
      globalThis.fetch = fetch
      for (const name of ['location', 'window', 'navigator']) Reflect.deleteProperty(globalThis, name)
      if (navigator) Object.defineProperty(globalThis, 'navigator', navigator)
    })
  })
  beforeEach(() => {
    signIn = (_req, _res, next) => next()
    answer = (call) => call.sse([chunk('Hello'), chunk(' you'), chunk('', 'stop')]).end('data: [DONE]\n\n')
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  for (const [page, begin] of [
    ['README.md', '// ask.ts'],
    ['docs/recipes/browser.md', '// ask.ts'],
  ] as const) {
    describe(page, () => {
      let ask: Ask
      before(async () => {
        ask = (await import(pathToFileURL(write(find(page, begin), folder)).href)).ask
      })

      test('passes the text on as it arrives', async () => {
        const texts: string[] = []
        await ask('Hi', (text) => texts.push(text))
        assert.equal(texts.join(''), 'Hello you')
        assert.match(await provider.calls.at(-1)!.text, /"messages":\[\{"role":"user","content":"Hi"\}\]/)
      })

      test("throws the provider's error", async () => {
        const headers = { 'x-should-retry': 'false' }
        answer = (call) => void call.text.then(() => call.json(429, { error: { message: 'Too often' } }, headers))
        await assert.rejects(
          ask('Hi', () => {}),
          /Too often/,
        )
      })

      test("throws if the app's sign-in answers, with JSON or without", async () => {
        const asked = provider.calls.length
        for (const body of ['{"error":{"message":"Sign in, please: 401"}}', '{"problem":401}', 'Unauthorized', '']) {
          signIn = (_req, res) => void res.status(401).set('x-should-retry', 'false').send(body)
          await assert.rejects(
            ask('Hi', () => {}),
            /401/,
            body,
          )
        }
        assert.equal(provider.calls.length, asked)
      })

      test('throws if the stream breaks off', async () => {
        answer = (call) => call.sse([chunk('Hello')]).end()
        await assert.rejects(
          ask('Hi', () => {}),
          /The provider/,
        )
      })

      test('aborting stops the provider', async () => {
        answer = (call) => call.sse([chunk('Hello')])
        const controller = new AbortController()
        const texts: string[] = []
        await ask(
          'Hi',
          (text) => {
            texts.push(text)
            controller.abort()
          },
          controller.signal,
        ).catch((error: Error) => assert.match(error.name, /Abort/))
        await provider.calls.at(-1)!.gone
        assert.deepEqual(texts, ['Hello'])
      })
    })
  }

  test("the README's OpenAI client can be created in a page", () => {
    const { text } = pages.find(({ file }) => file === 'README.md')!
    const [, options] = /`new OpenAI\((\{.*?\})\)`/.exec(text) ?? []
    const given = new Function(`return ${options}`)() as ClientOptions
    assert.equal(new OpenAI(given).baseURL, 'https://your.site/ai/v1')
    assert.throws(() => new OpenAI({ ...given, dangerouslyAllowBrowser: false }), /browser/)
  })

  test("the AI SDK's transport streams a message to useChat", async () => {
    const file = write(find('docs/recipes/browser.md', '// transport.ts'), folder)
    const { transport } = (await import(pathToFileURL(file).href)) as { transport: ChatTransport<UIMessage> }
    const messages: UIMessage[] = [{ id: '1', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }]
    const options = { trigger: 'submit-message', chatId: 'c', messageId: undefined, messages, abortSignal: undefined }
    const stream = await transport.sendMessages(options as Parameters<typeof transport.sendMessages>[0])
    const texts: string[] = []
    for await (const part of stream) if (part.type === 'text-delta') texts.push(part.delta)
    assert.equal(texts.join(''), 'Hello you')
  })
})
