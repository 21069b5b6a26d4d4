import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

type Given = Pick<AiProxyOptions, 'models' | 'auth' | 'endpoints'>

/** Asks an app for a model, and tells what became of it. */
async function asked(t: TestContext, given: Given, user: string, model = 'gpt-5', path = openai.path) {
  t.mock.method(process, 'emitWarning', () => {})
  const provider = await startProvider(t, {
    onCall: (call) => void call.sse([...openai.events, openai.terminator]).end(),
  })
  const errors: unknown[] = []
  const onError: AiProxyOptions['onError'] = (error, { hook, exchange }) => {
    errors.push([hook, (error as Error).message, exchange?.path])
  }
  const app = await startApp(t, { target: provider.url, ...given, onError })
  const response = await post(app.url + path, { ...openai.request, model }, { headers: { 'x-user': user } })
  await response.text()
  const authorization = provider.calls[0]?.req.headers.authorization
  return { status: response.status, record: await app.record(), errors, authorization }
}

describe('models per request', () => {
  const lists: Record<string, 'all' | (string | RegExp)[]> = { ada: ['gpt-5'], bob: [/^gpt-4/], eve: [], root: 'all' }
  for (const [user, status] of [
    ['ada', 200],
    ['bob', 403],
    ['eve', 403],
    ['root', 200],
  ] as const) {
    test(`a function gives each request its own list: ${user}`, async (t) => {
      const { status: got } = await asked(t, { models: (req) => lists[String(req.headers['x-user'])]! }, user)
      assert.equal(got, status)
    })
    test(`a function may be async: ${user}`, async (t) => {
      const { status: got } = await asked(t, { models: async (req) => lists[String(req.headers['x-user'])]! }, user)
      assert.equal(got, status)
    })
  }

  test('an invalid return value allows no model', async (t) => {
    for (const returned of [undefined, null, true, 'gpt-5', [5], ['']]) {
      const { status, record, errors } = await asked(t, { models: () => returned as never }, 'ada')
      assert.deepEqual([status, record.code, errors.length], [500, 'internal_error', 1])
      assert.match(String(errors[0]), /^models,The function in `models` returned an invalid value: .*models/)
    }
  })

  test('a function that fails gets 500 and a call of onError', async (t) => {
    const { status, errors } = await asked(t, { models: () => Promise.reject(new Error('no database')) }, 'ada')
    assert.deepEqual([status, errors], [500, [['models', 'no database', openai.path]]])
  })
})

describe('credentials per request', () => {
  test('a function gets the request', async (t) => {
    const auth = { headers: { authorization: (req: { headers: object }) => `Bearer ${Object(req.headers)['x-user']}` } }
    assert.equal((await asked(t, { auth }, 'ada')).authorization, 'Bearer ada')
  })
})

test('functions run only for requests that are admitted: limits, then models, then auth', async (t) => {
  const calls: string[] = []
  const note = <T>(name: string, value: T) => {
    calls.push(name)
    return value
  }
  const given = {
    limits: () => note('limits', {}),
    models: () => note('models', ['gpt-5']),
    auth: { headers: { authorization: () => note('auth', 'Bearer key') } },
  }
  assert.equal((await asked(t, given, 'ada', 'gpt-5', '/v1/files')).status, 404)
  assert.deepEqual(calls.splice(0), [])
  assert.equal((await asked(t, given, 'ada', 'gpt-4')).status, 403)
  assert.deepEqual(calls.splice(0), ['limits', 'models'])
  assert.equal((await asked(t, given, 'ada')).status, 200)
  assert.deepEqual(calls, ['limits', 'models', 'auth'])
})
