import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Events, post } from '../e2e/support/client.js'
import type { Call } from '../e2e/support/provider.js'
import { type Block, pages } from './pages.js'
import { RecipeProvider } from './recipe-provider.js'

const blockOf = (page: string): Block => pages.find(({ file }) => file === `docs/recipes/${page}.md`)!.blocks[0]!
const messages = [{ role: 'user', content: 'Hello' }]
const path = '/ai/v1/chat/completions'

describe('the recipes with several targets work as described', () => {
  const blocks = {
    azure: blockOf('azure-fallback'),
    keys: blockOf('two-keys'),
    local: blockOf('local-model-first'),
    canary: blockOf('canary'),
    colours: blockOf('blue-green'),
  }
  /** All targets are at its address. */
  const provider = new RecipeProvider(Object.values(blocks))
  const running = (block: Block) => provider.running(block)

  /** Asks for a model. @returns what the provider was asked for it, in order */
  async function ask(url: string, model: string, headers: Record<string, string> = {}) {
    const before = provider.calls.length
    const response = await post(url + path, { model, messages }, { headers })
    await response.text()
    const calls = provider.calls.slice(before)
    const models = await Promise.all(calls.map(async (call) => JSON.parse(await call.text).model))
    return { status: response.status, calls, models }
  }

  const limited = (isLimited: (call: Call) => boolean) => (call: Call) =>
    void call.text.then(() => (isLimited(call) ? call.json(429, { error: { message: 'no' } }) : call.json(200, {})))

  test('Azure answers if OpenAI limits requests, and gets the next ones at once', async () => {
    const { url } = await running(blocks.azure)
    provider.answer = limited(({ headers }) => headers.authorization !== undefined)
    const first = await ask(url, 'gpt-4.1-mini')
    assert.equal(first.status, 200)
    assert.deepEqual(first.models, ['gpt-4.1-mini', 'our-mini'])
    assert.deepEqual(
      first.calls.map(({ headers }) => [headers.authorization, headers['api-key']]),
      [
        ['Bearer the-openai-api-key', undefined],
        [undefined, 'the-azure-openai-api-key'],
      ],
    )
    assert.deepEqual((await ask(url, 'gpt-4.1')).models, ['our-large'])
  })

  test('the second key takes the requests of one that is limited', async () => {
    const { url } = await running(blocks.keys)
    const keys: unknown[] = []
    provider.answer = (call) => {
      keys.push(call.headers['x-api-key'])
      limited(({ headers }) => headers['x-api-key'] === 'the-anthropic-api-key')(call)
    }
    // Conversations belong to keys by a hash: among so many, each key has some.
    for (let at = 0; at < 20; at++) {
      const body = { model: 'claude', max_tokens: 9, messages: [{ role: 'user', content: `Hello ${at}` }] }
      assert.equal((await post(`${url}/ai/v1/messages`, body)).status, 200)
    }
    assert.equal(keys.filter((key) => key === 'the-anthropic-api-key').length, 1)
    assert.equal(keys.filter((key) => key === 'the-anthropic-reserve-api-key').length, 20)
  })

  test('the local model is asked first, without credentials, and the list has both names', async () => {
    const { url } = await running(blocks.local)
    const small = await ask(url, 'small', { authorization: 'Bearer of-the-client' })
    assert.deepEqual([small.status, small.models], [200, ['llama3.3']])
    assert.equal(small.calls[0]?.headers.authorization, undefined)
    const large = await ask(url, 'large')
    assert.deepEqual([large.status, large.models], [200, ['gpt-4.1']])
    assert.equal(large.calls[0]?.headers.authorization, 'Bearer the-openai-api-key')
    const list = (await (await fetch(`${url}/ai/v1/models`)).json()) as { data: { id: string }[] }
    assert.deepEqual(list.data.map(({ id }) => id).sort(), ['large', 'small'])
    const unknown = await post(url + path, { model: 'medium', messages })
    assert.equal(unknown.status, 404)
    assert.match(await unknown.text(), /small/)
  })

  test('five of a hundred users get the canary, each of them always the same model', async () => {
    const { url } = await running(blocks.canary)
    const models = new Map<string, number>()
    for (let user = 0; user < 100; user++) {
      const { models: first } = await ask(url, 'chat', { 'x-user': `user ${user}` })
      models.set(first[0], (models.get(first[0]) ?? 0) + 1)
      if (user >= 10) continue
      assert.deepEqual((await ask(url, 'chat', { 'x-user': `user ${user}` })).models, first)
    }
    const canaries = models.get('gpt-5') ?? 0
    assert.ok(canaries >= 1 && canaries <= 12, `${canaries}`)
    assert.equal(canaries + (models.get('gpt-4.1') ?? 0), 100)
  })

  test('blue ends its streams after the switch to green, which gets all new requests', async () => {
    const { url } = await running(blocks.colours)
    const inFlight = async () => {
      const targets = (await (await fetch(`${url}/admin/targets`)).json()) as { name: string; inFlight: number }[]
      return Object.fromEntries(targets.map(({ name, inFlight }) => [name, inFlight]))
    }
    const chunk = (delta: object, finish_reason: string | null = null) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`
    const streams: Call[] = []
    provider.answer = (call) => streams.push(call.sse([chunk({ content: 'Hi' })]))
    const open = async () => {
      const stream = new Events(await post(url + path, { model: 'm', stream: true, messages }))
      await stream.next()
      return stream
    }
    const old = await open()
    assert.deepEqual(await inFlight(), { blue: 1, green: 0 })
    const go = (name: string) => fetch(`${url}/admin/switch/${name}`, { method: 'POST' })
    assert.equal((await go('green')).status, 204)
    const recent = [await open(), await open()]
    assert.deepEqual(await inFlight(), { blue: 1, green: 2 })
    for (const call of streams) call.send(chunk({}, 'stop')).end('data: [DONE]\n\n')
    for (const stream of [old, ...recent]) assert.match((await stream.rest()).join(''), /\[DONE\]\n\n$/)
    // An exchange is over a moment after its client has seen the end.
    for (let now = await inFlight(); now.blue || now.green; ) now = await inFlight()
    assert.equal((await go('red')).status, 500)
  })
})
