import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Owner, startProvider } from '../support/provider.js'

const MODEL = 'gpt-test'
/** More than is parsed of a body that nothing changes. */
const LONG = 'word '.repeat(80_000)

const usageEvent =
  'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":500000,"completion_tokens":3,"total_tokens":500003}}\n\n'

/** Asks two targets in turn. @returns the names of the targets that answered, and their answers' ids */
async function started(t: Owner, options: Partial<AiProxyOptions> = {}) {
  const start = (name: string) =>
    startProvider(t, {
      onCall: (call) =>
        call.text.then(() =>
          call.json(200, { object: 'response', id: `resp_${name}`, status: 'completed', output: [] }),
        ),
    })
  const [a, b] = [await start('a'), await start('b')]
  const targets = [
    { name: 'a', target: a.url },
    { name: 'b', target: b.url },
  ]
  const app = await startApp(t, { targets, ...options })
  return async (body: object) => {
    await (await post(`${app.url}/v1/responses`, { model: MODEL, input: LONG, ...body })).text()
    const { target, responseId } = await app.record()
    return { target, responseId }
  }
}

describe('a large body that nothing changes', () => {
  test('goes to the target that made the response to which it refers', async (t) => {
    const ask = await started(t)
    const { target, responseId } = await ask({})
    for (let turn = 0; turn < 4; turn++) {
      assert.equal((await ask({ previous_response_id: responseId })).target, target)
    }
  })

  for (const [what, conversation] of [
    ['id', 'conv_1'],
    ['object', { id: 'conv_1' }],
  ] as const) {
    test(`goes to the target of its conversation, named by its ${what}`, async (t) => {
      const ask = await started(t)
      const { target } = await ask({ conversation })
      for (let turn = 0; turn < 4; turn++) assert.equal((await ask({ conversation })).target, target)
    })
  }

  for (const [what, field] of [
    ['prompt_cache_key', { prompt_cache_key: 'conversation 1' }],
    ['metadata.user_id', { metadata: { user_id: 'user 1' } }],
  ] as const) {
    test(`sticks to a target by its ${what}`, async (t) => {
      const ask = await started(t, { sticky: {} })
      const { target } = await ask(field)
      for (let turn = 0; turn < 4; turn++) assert.equal((await ask(field)).target, target)
    })
  }

  test('goes to any target if it refers to something longer than an id', async (t) => {
    const ask = await started(t)
    const targets = new Set<string | undefined>()
    for (let turn = 0; turn < 4; turn++) targets.add((await ask({ previous_response_id: 'r'.repeat(5000) })).target)
    assert.deepEqual([...targets].sort(), ['a', 'b'])
  })
})

test('a body of several MiB in which the target has another name for the model asks for usage', async (t) => {
  const seen: { stream_options?: unknown; model?: unknown }[] = []
  const provider = await startProvider(t, {
    onCall: async (call) => {
      seen.push(JSON.parse(await call.text))
      call.sse()
      for (const event of [...openai.events, usageEvent, openai.terminator]) call.send(event)
      call.end()
    },
  })
  const targets = [{ name: 'a', target: provider.url, models: { fast: 'gpt-test' } }]
  const app = await startApp(t, { targets })
  const messages = [{ role: 'user', content: LONG.repeat(6) }]
  const answer = await (await post(app.url + openai.path, { stream: true, model: 'fast', messages })).text()
  const { usage } = await app.record()
  assert.deepEqual([seen[0]?.model, seen[0]?.stream_options], ['gpt-test', { include_usage: true }])
  assert.deepEqual([usage?.inputTokens, usage?.outputTokens, usage?.estimated], [500_000, 3, false])
  assert.ok(!answer.includes('"usage"'), 'the client did not ask for it')
})

test('a body of several MiB in which the target has another name for the model keeps what the client says of usage', async (t) => {
  const seen: string[] = []
  const provider = await startProvider(t, {
    onCall: async (call) => {
      seen.push(await call.text)
      call.sse(openai.events).end(openai.terminator)
    },
  })
  const app = await startApp(t, { targets: [{ name: 'a', target: provider.url, models: { fast: 'gpt-test' } }] })
  const options = { stream_options: { include_usage: false } }
  const messages = [{ role: 'user', content: LONG.repeat(6) }]
  for (const body of [
    { ...options, stream: true, model: 'fast', messages },
    { stream: true, messages, model: 'fast', ...options },
  ]) {
    await (await post(app.url + openai.path, body)).text()
    const { model, ...sent } = JSON.parse(seen.at(-1)!)
    assert.equal(seen.at(-1)!.match(/"stream_options"/g)?.length, 1)
    assert.deepEqual([model, Object.keys(sent).length], ['gpt-test', 3])
  }
})
