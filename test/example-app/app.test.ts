import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ExchangeRecord } from 'express-ai-proxy'
import OpenAI from 'openai'
import { chooseProvider } from '../../example-app/providers/choose-providers.js'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import { closed, newVisitor, prompt, runningApp, urlOf } from './running-app.js'

const pages = path.join(__dirname, '../../example-app/pages')
/** What the chat page and its modules load. */
const served = [
  ...['chat', 'shared'].flatMap((folder) => readdirSync(path.join(pages, folder)).map((file) => `${folder}/${file}`)),
  ...['vendor/marked.mjs', 'vendor/purify.mjs', 'vendor/uPlot.mjs', 'vendor/uPlot.css'],
]

test('the openai SDK streams the whole answer through /ai/v1', async (t) => {
  const client = await sdk(t)
  const request = { model: 'stand-in', messages: [{ role: 'user' as const, content: 'Why do you stream?' }] }

  let streamed = ''
  let events = 0
  for await (const event of await client.chat.completions.create({ ...request, stream: true })) {
    streamed += event.choices[0]?.delta.content ?? ''
    events++
  }
  const whole = await client.chat.completions.create(request)

  assert.ok(events > 50, `${events} events`)
  assert.equal(streamed, whole.choices[0]?.message.content)
})

test('the openai SDK throws if the provider breaks off, after what came before', async (t) => {
  const client = await sdk(t)
  let streamed = ''
  await assert.rejects(
    async () => {
      const messages = [{ role: 'user' as const, content: 'Break off in the middle.' }]
      for await (const event of await client.chat.completions.create({ model: 'stand-in', messages, stream: true })) {
        streamed += event.choices[0]?.delta.content ?? ''
      }
    },
    (error) => error instanceof OpenAI.APIError && error.code === 'upstream_reset',
  )
  assert.match(streamed, /^There was once a lighthouse/)
})

test("the provider's own error reaches the openai SDK", async (t) => {
  const client = await sdk(t)
  const messages = [{ role: 'user' as const, content: 'Refuse me.' }]
  await assert.rejects(client.chat.completions.create({ model: 'stand-in', messages, stream: true }), {
    status: 429,
    code: 'rate_limit',
  })
})

test('the record is available under the x-request-id that the client sent', async (t) => {
  const url = await runningApp(t, await startLocalProvider({ eventsPerSecond: 1000 }))
  const visitor = await newVisitor(url)
  const response = await fetch(`${url}/ai/v1/chat/completions`, prompt('Hello!', 'first-prompt', visitor))
  const body = await response.text()
  const record = await recordOf(url, 'first-prompt', visitor)

  assert.equal(record.outcome, 'completed')
  assert.equal(record.status, 200)
  assert.equal(record.model, 'any')
  assert.equal(record.downstreamBytes, Buffer.byteLength(body))
})

test('a record is visible to its visitor only, whose cookie never reaches the provider', async (t) => {
  const provider = await scriptedProvider(t)
  const url = await runningApp(t, await chooseProvider({ AI_TARGET: provider.url }))
  const [mine, another] = [await newVisitor(url), await newVisitor(url)]
  assert.notEqual(mine, another)

  const asked = once(provider.requests, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const answered = fetch(`${url}/ai/v1/chat/completions`, prompt('Hi', 'order-17', mine))
  const [request, answer] = await asked
  answer.end('data: [DONE]\n\n')
  await (await answered).text()
  assert.equal(request.headers.cookie, undefined)

  const statusFor = async (headers: Record<string, string>) =>
    (await fetch(`${url}/records/order-17`, { headers })).status
  assert.equal(await statusFor({ cookie: mine }), 200)
  assert.equal(await statusFor({ cookie: another }), 404)
  assert.equal(await statusFor({}), 404)
  assert.equal(await statusFor({ cookie: mine, 'sec-fetch-site': 'same-site' }), 403)
})

test('Stop ends the request to the provider, and the record says client_disconnect', async (t) => {
  const provider = await scriptedProvider(t)
  const url = await runningApp(t, await chooseProvider({ AI_TARGET: provider.url }))

  const stop = new AbortController()
  const asked = once(provider.requests, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const visitor = await newVisitor(url)
  const ask = { ...prompt('Hi', 'stopped', visitor), signal: stop.signal }
  const response = await fetch(`${url}/ai/v1/chat/completions`, ask)
  const [, answer] = await asked
  await response.body?.getReader().read()

  stop.abort()
  await once(answer, 'close')
  assert.equal(answer.writableFinished, false)

  const record = await recordOf(url, 'stopped', visitor)
  assert.equal(record.outcome, 'client_disconnect')
  assert.equal(record.events, 1)
})

test('the app serves the page, its files and the small routes', async (t) => {
  const url = await runningApp(t, await startLocalProvider())
  assert.equal((await fetch(url)).url, `${url}/chat/`)
  const page = await (await fetch(`${url}/chat/`)).text()
  const loaded = [...page.matchAll(/<(?:script|link)[^>]* (?:src|href)="([^":]+)"/g)].map(([, file]) => file)
  assert.deepEqual(loaded.sort(), [
    ...[
      '../shared/base.css',
      '../shared/left-today.css',
      '../shared/record-dialog.css',
      'chat.css',
      'chat.mjs',
      'markdown.css',
    ],
  ])

  for (const file of served) {
    const response = await fetch(`${url}/${file}`)
    assert.equal(response.status, 200, file)
    assert.match(response.headers.get('content-type') ?? '', /\/(html|css|javascript)/, file)
  }
  assert.deepEqual(await (await fetch(`${url}/health`)).json(), { status: 'ok' })
  assert.match(await (await fetch(`${url}/settings`)).text(), /"local":true/)
})

test('the provider gets the key, and nothing that the app serves contains it', async (t) => {
  const key = 'sk-secret-of-this-test'
  const provider = await scriptedProvider(t)
  const url = await runningApp(t, await chooseProvider({ OPENAI_API_KEY: key, AI_TARGET: provider.url }))

  const cookie = await newVisitor(url)
  const asked = once(provider.requests, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const answered = fetch(`${url}/ai/v1/chat/completions`, prompt('Hi', 'with-key', cookie))
  const [request, answer] = await asked
  answer.end('data: [DONE]\n\n')

  assert.equal(request.url, '/v1/chat/completions')
  assert.equal(request.headers.authorization, `Bearer ${key}`)
  const responses = [await answered]
  const paths = ['', 'settings', 'health', 'records/with-key', 'ai/v1/files']
  for (const path of [...paths, ...served]) {
    responses.push(await fetch(`${url}/${path}`, { headers: { cookie } }))
  }
  assert.ok(responses.some(({ ok, url }) => ok && url.endsWith('/records/with-key')))
  for (const response of responses) {
    const served = JSON.stringify([...response.headers]) + (await response.text())
    assert.ok(!served.includes(key), response.url)
  }
})

async function recordOf(url: string, id: string, visitor: string): Promise<ExchangeRecord> {
  const response = await fetch(`${url}/records/${id}`, { headers: { cookie: visitor } })
  return (await response.json()) as ExchangeRecord
}

async function sdk(t: TestContext): Promise<OpenAI> {
  const url = await runningApp(t, await startLocalProvider({ eventsPerSecond: 1000 }))
  return new OpenAI({ apiKey: 'not-needed', baseURL: `${url}/ai/v1`, maxRetries: 0 })
}

/** A provider that answers each request with one event and leaves the rest to the test. */
async function scriptedProvider(t: TestContext) {
  const requests = new EventEmitter<{ request: [IncomingMessage, ServerResponse] }>()
  const server = createServer((req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('data: {"choices":[{"delta":{"content":"One"}}]}\n\n')
    requests.emit('request', req, res)
  }).listen(0, '127.0.0.1')
  t.after(() => closed(server))
  return { url: await urlOf(server), requests }
}
