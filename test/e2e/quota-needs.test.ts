import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type QuotaOptions, quota } from '../../lib/quota.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

const { path, request } = openai
const key = 'user:ada'
const answer = {
  choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 40, completion_tokens: 100, total_tokens: 140 },
}
const prices = { dear: { input: 0, output: 1e6 }, free: { input: 0, output: 0 } }

async function started(t: TestContext, options: QuotaOptions) {
  t.mock.method(process, 'emitWarning', () => {})
  const policy = quota(options)
  const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
  const app = await startApp(t, { target: provider.url, identify: () => 'ada', policies: [policy], prices })
  const ask = async (model: string) => {
    const response = await post(app.url + path, { ...request, model, stream: false })
    await response.text()
    return response.status
  }
  const list = async () => {
    const response = await fetch(`${app.url}/v1/models`)
    await response.text()
    return response.status
  }
  return { ask, list, policy }
}

describe('a limit of which more was used than is allowed', () => {
  const few = { countInput: () => 1, assumedOutput: 1 }

  test('of tokens refuses no list of models, which needs none', async (t) => {
    const { ask, list } = await started(t, { ...few, limits: [{ key, tokens: 100, per: '1d' }] })
    assert.deepEqual([await ask('dear'), await ask('dear'), await list(), await ask('dear')], [200, 429, 200, 429])
  })

  test('of money refuses no model that is free', async (t) => {
    const { ask, list } = await started(t, { ...few, limits: [{ key, cost: 50, per: '1d' }] })
    assert.deepEqual([await ask('dear'), await ask('dear'), await ask('free'), await list()], [200, 429, 200, 200])
  })

  test('is not the one that a request is told of which needs nothing of it', async (t) => {
    const limits = [
      { key, tokens: 100, per: '1d' },
      { key: 'all', requests: 2, per: '1h' },
    ] as const
    const exceeded: string[] = []
    const { ask, list } = await started(t, { ...few, limits, onExceeded: ({ kind }) => void exceeded.push(kind) })
    assert.deepEqual([await ask('dear'), await list(), await list()], [200, 200, 429])
    assert.deepEqual(exceeded, ['requests'])
  })
})

describe('a limit that is used up refuses a request of which nothing is expected', () => {
  const none = { countInput: () => 0, assumedOutput: 0 }

  test('a limit of tokens', async (t) => {
    const { ask } = await started(t, { ...none, limits: [{ key, tokens: 140, per: '1d' }] })
    assert.deepEqual([await ask('dear'), await ask('dear')], [200, 429])
  })

  test('a limit of money', async (t) => {
    const { ask } = await started(t, { ...none, limits: [{ key, cost: 100, per: '1d' }] })
    assert.deepEqual([await ask('dear'), await ask('dear')], [200, 429])
  })
})
