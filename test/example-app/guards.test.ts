/** Who may ask the example app for what, and what it says to browsers with every answer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { isLoopback } from '../../example-app/http/loopback.js'
import { chooseProvider } from '../../example-app/providers/choose-providers.js'
import { closed, prompt, runningApp, unreachable, urlOf } from './running-app.js'

const chat = '/ai/v1/chat/completions'
const everything = [
  ['GET', '/'],
  ['GET', '/chat/'],
  ['GET', '/chat/chat.mjs'],
  ['GET', '/health'],
  ['GET', '/settings'],
  ['GET', '/records/1'],
  ['GET', '/vendor/purify.mjs'],
  ['GET', '/shared/base.css'],
  ['POST', chat],
  ['GET', '/ai/v1/models'],
  ['GET', '/streams/'],
  ['GET', '/streams/state'],
  ['DELETE', '/streams/exchanges/1'],
  ['POST', '/streams/demo'],
  ['GET', '/usage/'],
  ['GET', '/usage/state'],
  ['GET', '/account'],
  ['PUT', '/account/user'],
  ['GET', '/storm/'],
  ['POST', '/storm/runs'],
  ['GET', '/no-such-page'],
  ['GET', '/chat/no-such-file.mjs'],
  ['POST', '/chat/'],
  ['GET', '/streams'],
] as const

test('an app that listens on loopback only answers to loopback host names', async (t) => {
  const { url, asked } = await appBefore(t)
  const rebound = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.example:3000',
    '10.0.0.7',
    'localhost@evil.example',
  ]
  for (const host of rebound) {
    for (const [method, path] of everything) {
      const { statusCode } = await call(url, method, path, { host, origin: `http://${host}` })
      assert.equal(statusCode, 403, `${method} ${path} of ${host}`)
    }
  }
  assert.equal(asked(), 0, 'requests that reached the provider')

  for (const host of ['localhost', 'LOCALHOST:3000', '127.0.0.1:80', '127.8.0.1', '[::1]:3000']) {
    assert.equal((await call(url, 'GET', '/chat/', { host })).statusCode, 200, host)
    assert.equal(
      (await call(url, 'POST', chat, { host, 'content-type': 'application/json' }, '{}')).statusCode,
      200,
      host,
    )
  }
})

test('an app that listens on other addresses answers to any host name', async (t) => {
  const { url } = await appBefore(t, { loopback: false })
  assert.equal((await call(url, 'GET', '/chat/', { host: 'chat.example' })).statusCode, 200)
  assert.equal((await call(url, 'POST', chat, { host: 'chat.example' }, '{}')).statusCode, 200)
})

test('isLoopback recognises loopback addresses', () => {
  for (const one of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(one), one)
  for (const one of ['0.0.0.0', '::', '192.168.0.1', '127.0.0.1.example', '::ffff:10.0.0.1']) {
    assert.ok(!isLoopback(one), one)
  }
})

test("another site's page cannot spend the key by a form, a script or a link", async (t) => {
  const { url, asked } = await appBefore(t)
  const { host } = new URL(url)
  const body = String(prompt('Hi', '1').body)
  const theirs: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', origin: 'http://127.0.0.1:1' },
    { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
    // Old browsers tell the origin alone.
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://${host}.evil.example` },
    { origin: 'http://127.0.0.1:1' },
  ]
  for (const headers of theirs) {
    const { statusCode } = await call(url, 'POST', chat, { 'content-type': 'text/plain', ...headers }, body)
    assert.equal(statusCode, 403, JSON.stringify(headers))
  }
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  assert.equal((await call(url, 'GET', '/ai/v1/models', link)).statusCode, 403)
  assert.equal((await call(url, 'GET', '/streams/state', link)).statusCode, 403)
  assert.equal((await call(url, 'GET', '/settings', link)).statusCode, 403)
  assert.equal((await call(url, 'GET', '/usage/state', link)).statusCode, 403)
  assert.equal((await call(url, 'GET', '/account', link)).statusCode, 403)
  assert.equal(asked(), 0, 'requests that reached the provider')

  for (const page of ['/chat/', '/streams/', '/usage/', '/storm/']) {
    assert.equal((await call(url, 'GET', page, link)).statusCode, 200, `a link to ${page}`)
  }
  const ours: Record<string, string>[] = [
    { 'sec-fetch-site': 'same-origin', origin: url },
    // Behind a reverse proxy that puts its own name for the app into `Host`.
    { 'sec-fetch-site': 'same-origin', origin: 'https://app.example' },
    { origin: url },
    {},
  ]
  for (const headers of ours) {
    assert.equal((await call(url, 'POST', chat, headers, body)).statusCode, 200, JSON.stringify(headers))
  }
  assert.equal(asked(), 4)
})

test('the dashboard and Storm are closed behind a reverse proxy on this machine; the chat is not', async (t) => {
  const { url } = await appBefore(t)
  const told = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', forwarded: 'for=203.0.113.9' }
  for (const [name, value] of Object.entries({ ...told, via: '1.1 front', 'x-real-ip': '203.0.113.9' })) {
    for (const [method, path] of everything.filter(([, path]) => /streams|usage|storm/.test(path))) {
      assert.equal((await call(url, method, path, { [name]: value })).statusCode, 403, `${method} ${path} with ${name}`)
    }
    assert.equal((await call(url, 'POST', chat, { [name]: value }, '{}')).statusCode, 200, name)
    const settings = await fetch(`${url}/settings`, { headers: { [name]: value } })
    assert.match(await settings.text(), /"dashboard":false/, name)
  }
  assert.match(await (await fetch(`${url}/settings`)).text(), /"dashboard":true/)

  const old = connect(Number(new URL(url).port), '127.0.0.1')
  old.write('GET /streams/ HTTP/1.0\r\nHost: 127.0.0.1:3000\r\n\r\n')
  const [head] = (await once(old, 'data')) as [Buffer]
  assert.match(String(head), /^HTTP\/1\.1 403 /)
  old.destroy()
})

test('every answer has headers that prevent content sniffing and use by other sites', async (t) => {
  const { url } = await appBefore(t)
  const refused = [
    ['GET', '/%00', {}],
    ['GET', '/%E0', {}],
    ['POST', '/storm/runs', { 'content-type': 'application/json' }],
    ['PUT', '/account/user', { 'content-type': 'application/json' }],
    ['POST', chat, { 'sec-fetch-site': 'cross-site' }],
    ['GET', '/', { host: 'evil.example' }],
    ['POST', '/anthropic/v1/messages', { 'content-type': 'application/json' }],
  ] as const
  for (const [method, path, headers] of [...everything.map((one) => [...one, {}] as const), ...refused]) {
    const answer = await call(url, method, path, headers, method === 'GET' ? '' : '{')
    const what = `${method} ${path}: ${answer.statusCode}`
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', what)
    assert.match(policyOf(answer), /^default-src 'none';.* frame-ancestors 'none';/, what)
    assert.equal(answer.headers['cross-origin-resource-policy'], 'same-origin', what)
    assert.equal(answer.headers['referrer-policy'], 'no-referrer', what)
  }
})

test('an error page has no stack and no paths of this machine', async (t) => {
  const { url } = await appBefore(t)
  for (const [method, path] of [
    ['GET', '/%E0'],
    ['GET', '/..%2fpackage.json'],
    ['POST', '/storm/runs'],
  ] as const) {
    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'POST' && { body: '{' }),
    })
    assert.ok(response.status >= 400 && response.status < 500, `${path}: ${response.status}`)
    assert.doesNotMatch(await response.text(), /node_modules|\bat \w+ \(/, path)
  }
})

test('a page without its slash leads to the page, wherever a reverse proxy has put the app', async (t) => {
  const { url } = await appBefore(t)
  for (const [asked, path] of [
    ['/chat', 'chat/'],
    ['/streams?a=1&b=?2', 'streams/?a=1&b=?2'],
  ] as const) {
    const answer = await call(url, 'GET', asked)
    assert.equal(answer.statusCode, 301)
    assert.equal(answer.headers.location, path)
  }
  for (const none of ['/shared', '/vendor', '/chat//evil.example', '//evil.example/chat']) {
    assert.equal((await call(url, 'GET', none)).statusCode, 404, none)
  }
})

function policyOf({ headers }: IncomingMessage): string {
  return String(headers['content-security-policy'])
}

/** The app with its dashboard, before a provider that counts and one that cannot be reached. */
async function appBefore(t: TestContext, options = {}) {
  let count = 0
  const provider = createServer((req, res) => {
    count++
    req.resume()
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  t.after(() => closed(provider))
  const providers = [
    await chooseProvider({ AI_TARGET: await urlOf(provider), OPENAI_API_KEY: 'sk-1' }),
    await chooseProvider({ ANTHROPIC_TARGET: await unreachable(), ANTHROPIC_API_KEY: 'sk-2' }, 'anthropic'),
  ]
  return { url: await runningApp(t, providers, { dashboard: true, ...options }), asked: () => count }
}

/** `fetch` would not let us say whom we ask, or where we come from. Of the answer, the head alone counts. */
async function call(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<IncomingMessage> {
  const sent = request(url + path, { method, headers, agent: false }).end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.destroy()
  return answer
}
