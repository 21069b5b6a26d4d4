import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { Events, post } from '../e2e/support/client.js'
import { type Call, startProvider } from '../e2e/support/provider.js'
import { type Block, pages } from './pages.js'
import { RecipeProvider } from './recipe-provider.js'
import { start, write } from './running.js'
import { makeWorkshop } from './workshop.js'

/** A recipe's block of code. */
function blockOf(page: string, number = 1): Block {
  const block = pages.find(({ file }) => file === `docs/${page}.md`)?.blocks.find((one) => one.number === number)
  return block ?? assert.fail(`no block ${number} in docs/${page}.md`)
}

const model = 'gpt-4.1-mini'
const messages = [{ role: 'user', content: 'Hello' }]
const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
const finish = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`

describe('the recipes work as described', () => {
  const blocks = {
    hooks: blockOf('recipes/hooks'),
    budget: blockOf('recipes/budget-for-each-user'),
    key: blockOf('recipes/key-for-each-user'),
    tiers: blockOf('recipes/free-and-paid'),
    keys: blockOf('recipes/keys-of-your-own'),
    machines: blockOf('recipes/several-machines'),
    resuming: blockOf('recipes/resume-several-machines'),
    cached: blockOf('recipes/cache-for-tests'),
    rates: blockOf('recipes/from-express-rate-limit', 2),
    cost: blockOf('recipes/cost'),
    litellm: blockOf('recipes/litellm'),
    csrf: blockOf('recipes/csrf'),
    redaction: blockOf('recipes/redaction'),
    logging: blockOf('recipes/logging'),
    labels: blockOf('metrics', 3),
    bedrock: blockOf('recipes/bedrock', 2),
    errors: pages
      .flatMap((page) => page.blocks)
      .find(({ page, heading }) => page === 'docs/options.md' && heading === 'errors')!,
    members: pages.flatMap((page) => page.blocks).find(({ code }) => code.includes('ai.abort('))!,
  }
  const provider = new RecipeProvider(Object.values(blocks))
  const running = (block: Block) => provider.running(block)

  test('hooks: the system prompt is in every request that generates', async () => {
    const { url } = await running(blocks.hooks)
    for (const [at, body, place] of [
      [
        'chat/completions',
        { model, messages },
        /"messages":\[\{"role":"system","content":"Answer in one paragraph\."\},/,
      ],
      ['responses', { model, input: 'Hi' }, /"instructions":"Answer in one paragraph\."/],
      ['responses', { model, input: 'Hi', instructions: 'Be kind.' }, /"Answer in one paragraph\.\\nBe kind\."/],
    ] as const) {
      assert.equal((await post(`${url}/ai/v1/${at}`, body)).status, 200)
      assert.match(await provider.last.text, place)
    }
    assert.equal((await post(`${url}/ai/v1/completions`, { model, prompt: 'Hi' })).status, 404)
  })

  test('hooks: the hook throws on no request', async () => {
    const { url, printed } = await running(blocks.hooks)
    assert.equal((await fetch(`${url}/ai/v1/models`)).status, 200)
    for (const at of ['chat/completions', 'responses']) {
      for (const body of [{ model }, { model, messages: null }, { model, messages: 'Hi' }, [], 'Hi', 5, null]) {
        assert.notEqual((await post(`${url}/ai/v1/${at}`, body)).status, 500, `${at} ${JSON.stringify(body)}`)
      }
    }
    assert.doesNotMatch(printed(), /AI_PROXY_HOOK_THREW/)
  })

  test('hooks: a returned answer and a thrown status are sent, and the provider is not called', async () => {
    const { url } = await running(blocks.hooks)
    const asked = provider.calls.length
    const headers = { 'x-maintenance': 'on' }
    const paused = await post(`${url}/ai/v1/chat/completions`, { model, messages }, { headers })
    assert.deepEqual([paused.status, paused.headers.get('retry-after')], [503, '60'])
    const refused = await post(`${url}/ai/v1/chat/completions`, { model: 'gpt-4', messages })
    assert.equal(refused.status, 403)
    assert.match(await refused.text(), /Ask for gpt-4\.1 instead/)
    assert.equal(provider.calls.length, asked)
  })

  const used = (prompt_tokens: number, completion_tokens: number) => (call: Call) =>
    void call.text.then(() => call.json(200, { model, usage: { prompt_tokens, completion_tokens } }))
  /** Asks, and waits until all is told. */
  const statusOf = async (url: string, headers: Record<string, string>, of = model) => {
    const response = await post(`${url}/ai/v1/chat/completions`, { model: of, messages }, { headers })
    await response.text()
    return response.status
  }

  test('budget: a user who has spent it gets 429, another user does not', async () => {
    const { url } = await running(blocks.budget)
    provider.answer = used(199_999, 1)
    const ask = (user: string) => statusOf(url, { 'x-user': user })
    assert.equal(await ask('ann'), 200)
    assert.match(await provider.last.text, /"max_tokens":4000|"max_completion_tokens":4000/)
    const spent = await post(`${url}/ai/v1/chat/completions`, { model, messages }, { headers: { 'x-user': 'ann' } })
    assert.deepEqual([spent.status, spent.headers.get('x-should-retry')], [429, 'false'])
    assert.match(await spent.text(), /"code":"quota_exceeded"/)
    assert.equal(await ask('bob'), 200)
    assert.equal(await ask(''), 401)
    const account = (await (await fetch(`${url}/account`, { headers: { 'x-user': 'ann' } })).json()) as {
      mine: { kind: string; used: number }[]
      team: { kind: string; used: number }[]
    }
    assert.equal(account.mine.find(({ kind }) => kind === 'tokens')?.used, 200_000)
    // 199,999 at 0.4 and 1 at 1.6 dollars a million.
    assert.equal(account.team.find(({ kind }) => kind === 'cost')?.used.toFixed(6), '0.080001')
  })

  test('free and paid: each tier has its models and its tokens', async () => {
    const { url } = await running(blocks.tiers)
    provider.answer = used(19_000, 500)
    assert.equal(await statusOf(url, { 'x-user': 'ann' }, 'gpt-4.1'), 200)
    assert.equal(await statusOf(url, { 'x-user': 'ann' }), 200)
    assert.equal(await statusOf(url, { 'x-user': 'bob' }, 'gpt-4.1'), 403)
    assert.equal(await statusOf(url, { 'x-user': 'bob' }), 200)
    assert.equal(await statusOf(url, { 'x-user': 'bob' }), 429)
  })

  test('keys of your own: a known key passes and stays here, others do not', async () => {
    const { url } = await running(blocks.keys)
    const withKey = (key: string) => ({ authorization: `Bearer ${key}` })
    assert.equal(await statusOf(url, withKey('example-key-for-ada')), 200)
    assert.equal(provider.last.headers.authorization, 'Bearer the-openai-api-key')
    assert.doesNotMatch(JSON.stringify(provider.last.headers), /example-key/)
    assert.equal(await statusOf(url, withKey('example-key-for-bob')), 401)
    assert.equal(await statusOf(url, {}), 401)
  })

  test('several machines: a process goes on by itself if its Redis cannot be reached', async () => {
    const { url } = await running(blocks.machines)
    assert.equal(await statusOf(url, { 'x-user': 'ann' }), 200)
    const { isStoreDown, lost } = (await (await fetch(`${url}/healthz`)).json()) as Record<string, unknown>
    assert.deepEqual([isStoreDown, lost], [true, 0])
  })

  test('resume and cache on several machines: answers go on if Redis cannot be reached', async () => {
    for (const block of [blocks.resuming, blocks.cached]) {
      const { url } = await running(block)
      provider.answer = (call) => call.sse([chunk('Hi'), finish]).end('data: [DONE]\n\n')
      const headers = { 'x-user': 'ann' }
      const response = await post(`${url}/ai/v1/chat/completions`, { model, messages, stream: true }, { headers })
      const text = (await response.text()).replace(/^id: .*\n/gm, '')
      assert.equal(text, `${chunk('Hi')}${finish}data: [DONE]\n\n`)
    }
  })

  test('from express-rate-limit: a minute has its requests', async () => {
    const { url } = await running(blocks.rates)
    const statuses: number[] = []
    for (let at = 0; at < 61; at++) statuses.push(await statusOf(url, { 'x-user': 'ann' }))
    assert.deepEqual([statuses.filter((status) => status === 200).length, statuses.at(-1)], [60, 429])
    assert.equal(await statusOf(url, { 'x-user': 'boss' }), 200)
  })

  test("key for each user: the provider gets the user's own key, and never the client's", async () => {
    const { url } = await running(blocks.key)
    const ask = (user: string) => {
      const headers = { 'x-user': user, authorization: 'Bearer of-the-client', 'x-api-key': 'of-the-client' }
      return post(`${url}/ai/v1/chat/completions`, { model, messages }, { headers })
    }
    assert.equal((await ask('ann')).status, 200)
    assert.equal(provider.last.headers.authorization, 'Bearer key of ann')
    assert.doesNotMatch(JSON.stringify(provider.last.headers), /of-the-client/)
    assert.equal((await ask('bob')).status, 403)
  })

  test('cost: each part of the tokens has its price, and an answer without tokens costs nothing', async () => {
    const { url, prints } = await running(blocks.cost)
    const prompt_tokens_details = { cached_tokens: 600_000 }
    const usage = { prompt_tokens: 1_000_000, completion_tokens: 500_000, prompt_tokens_details }
    provider.answer = (call) => void call.text.then(() => call.json(200, { usage }))
    await (await post(`${url}/ai/v1/chat/completions`, { model, messages })).text()
    // 400,000 at 0.4, 600,000 at 0.1, 500,000 at 1.6 dollars a million.
    await prints(/"model":"gpt-4\.1-mini","dollars":1\.02,"isEstimated":false/)
    provider.answer = (call) => void call.text.then(() => call.json(500, { error: { message: 'no' } }))
    await (await post(`${url}/ai/v1/chat/completions`, { model, messages })).text()
    await prints(/"model":"gpt-4\.1-mini","dollars":0,"isEstimated":false/)
  })

  test('LiteLLM: the client chooses neither the user nor another provider', async () => {
    const { url } = await running(blocks.litellm)
    const headers = { 'x-user': 'ann', 'x-litellm-customer-id': 'bob', 'x-litellm-end-user-id': 'bob' }
    const own = { api_base: 'https://evil.site', api_key: 'sk-evil', user_config: { model_list: [] } }
    const body = { model: 'fast', messages, ...own, extra_body: own }
    assert.equal((await post(`${url}/ai/v1/chat/completions`, body, { headers })).status, 200)
    const sent = provider.last.headers
    assert.equal(sent['x-litellm-end-user-id'], 'ann')
    assert.equal(sent['x-litellm-customer-id'], undefined)
    assert.equal(sent.authorization, 'Bearer the-litellm-key')
    assert.doesNotMatch(await provider.last.text, /evil|api_key|user_config/)
    const other = await post(`${url}/ai/v1/chat/completions`, { ...body, model: 'gpt-4' }, { headers })
    assert.equal(other.status, 403)
  })

  test("CSRF: pages of other sites are rejected; the app's own pages and other programs are not", async () => {
    const { url } = await running(blocks.csrf)
    for (const [status, headers] of [
      [200, {}],
      [200, { 'sec-fetch-site': 'same-origin', origin: 'https://your.site' }],
      [200, { origin: 'https://your.site' }],
      [403, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.site' }],
      [403, { 'sec-fetch-site': 'same-site', origin: 'https://blog.your.site' }],
      [403, { origin: 'https://evil.site' }],
      [403, { origin: 'null' }],
    ] as const) {
      // Node's fetch sets Sec-Fetch-Mode alone, and lets these be set.
      const response = await post(`${url}/ai/v1/chat/completions`, { model, messages }, { headers })
      assert.equal(response.status, status, JSON.stringify(headers))
    }
  })

  test('redaction: secrets are found even if split over events, and the client gets every byte', async () => {
    const { url, printed, prints } = await running(blocks.redaction)
    const pieces = ['Use sk-pro', 'j-4f9a8b', '7c6d5e4f3a and write to ann@exa', 'mple.com.']
    provider.answer = (call) => call.sse([...pieces.map(chunk), finish]).end('data: [DONE]\n\n')
    const content = 'My key is ghp_0123456789abcdef, my card 4111 1111 1111 1111.'
    const request = { model, stream: true, messages: [{ role: 'user', content }] }
    const text = await (await post(`${url}/ai/v1/chat/completions`, request)).text()
    assert.equal(text, `${pieces.map(chunk).join('')}${finish}data: [DONE]\n\n`)
    await prints(/"answer":"Use \[key\] and write to \[e-mail\]/)
    assert.match(printed(), /My key is \[key\], my card \[card\]/)
    assert.doesNotMatch(printed(), /4f9a8b|5e4f3a|ghp_|4111|exa/)
  })

  test('metrics: exchanges are counted by their label', async () => {
    const { url } = await running(blocks.labels)
    for (const feature of ['search', 'made-up', 'search']) {
      const init = { headers: { 'x-feature': feature } }
      await (await post(`${url}/ai/v1/chat/completions`, { model, messages }, init)).text()
    }
    const scraped = await (await fetch(`${url}/metrics`)).text()
    assert.match(scraped, /^ai_proxy_exchanges_total\{.*feature="search".*\} 2$/m)
    assert.match(scraped, /^ai_proxy_exchanges_total\{.*feature="chat".*\} 1$/m)
  })

  test('logs: an outage is logged as an error, a rejection as a warning, a success as information', async () => {
    const { url, prints } = await running(blocks.logging)
    for (const [status, level] of [
      [200, 30],
      [429, 40],
      [500, 50],
    ] as const) {
      provider.answer = (call) =>
        void call.text.then(() => call.json(status, status === 200 ? {} : { error: { message: 'no' } }))
      await (await post(`${url}/ai/v1/chat/completions`, { model, messages })).text()
      await prints(new RegExp(`"level":${level},.*"providerStatus":${status}`))
    }
  })

  test('Bedrock: the signature matches the request that is sent', async () => {
    const { url } = await running(blocks.bedrock)
    const body = { messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }
    const at = '/model/anthropic.claude%3A0/converse'
    assert.equal((await post(`${url}/bedrock${at}`, body)).status, 200)
    const { url: path, headers } = provider.last
    assert.equal(path, at)
    const hostname = 'bedrock-runtime.the-aws-region.amazonaws.com'
    const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
    const signer = new SignatureV4({ service: 'bedrock', region: 'the-aws-region', credentials, sha256: Sha256 })
    const unsigned = {
      method: 'POST',
      protocol: 'https:',
      hostname,
      path,
      headers: { host: hostname },
      body: await provider.last.text,
    }
    const [, date] = /^(\d{8}T\d{6}Z)$/.exec(String(headers['x-amz-date'])) ?? []
    const iso = date!.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z')
    const signed = await signer.sign(unsigned, { signingDate: new Date(iso) })
    assert.equal(headers.authorization, signed.headers.authorization)
    assert.match(String(headers.authorization), /^AWS4-HMAC-SHA256 /)
    assert.equal(headers.host, `127.0.0.1:${provider.port}`)
  })

  test("errors: 'next' lets the app's handler answer", async () => {
    const { url } = await running(blocks.errors)
    const response = await post(`${url}/ai/v1/files`, {})
    assert.equal(response.status, 404)
    assert.equal(((await response.json()) as { problem: string }).problem, 'endpoint_not_allowed')
  })

  test('the members list, count and end an exchange by its id', async () => {
    const { url } = await running(blocks.members)
    provider.answer = (call) => void call.sse([chunk('Hello')])
    const stream = new Events(await post(`${url}/ai/v1/chat/completions`, { model, stream: true, messages }))
    assert.equal(await stream.next(), chunk('Hello'))
    const get = async (at: string) => (await fetch(`${url}/admin/${at}`)).json()
    const [exchange] = (await get('exchanges')) as { id: string; model: string }[]
    assert.equal(exchange?.model, model)
    assert.equal(((await get('stats')) as { active: number }).active, 1)
    const abort = () => fetch(`${url}/admin/abort/${exchange!.id}`, { method: 'POST' })
    assert.equal((await abort()).status, 204)
    assert.match((await stream.rest()).join(''), /"code":"aborted"/)
    await provider.last.gone
    assert.equal((await abort()).status, 404)
  })
})

test('shutting down: a running stream ends, then the process', async (t) => {
  const workshop = makeWorkshop()
  t.after(workshop.remove)
  const provider = await startProvider(t)
  const { url, signal } = await start(t, blockOf('recipes/shutting-down'), workshop.folder, provider.url)
  const response = post(`${url}/ai/v1/chat/completions`, { model, stream: true, messages })
  const call = await provider.next()
  call.sse([chunk('Hello')])
  const stream = new Events(await response)
  await stream.next()
  const ended = signal('SIGTERM')
  // The app takes no connections any more, and the stream goes on.
  call.send(finish).end('data: [DONE]\n\n')
  assert.deepEqual(await stream.rest(), [finish, 'data: [DONE]\n\n'])
  assert.equal(await ended, 0)
})

test("testing: the example's own tests pass", async (t) => {
  const workshop = makeWorkshop()
  t.after(workshop.remove)
  const file = write(blockOf('recipes/testing'), workshop.folder)
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--import', 'tsx', '--test', '--test-reporter=spec', file]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: workshop.folder, env })
  assert.match(stdout, /pass 2\n/)
})
