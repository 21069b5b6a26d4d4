import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const answer = { id: 'a', choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }] }

async function started(
  t: TestContext,
  onCall: (call: Call) => unknown,
  options: Partial<AiProxyOptions> = {},
  at: string = path,
) {
  const provider = await startProvider(t, { onCall })
  const app = await startApp(t, {
    target: provider.url,
    cache: { ttlMs: 1e6, scope: () => 'all' },
    ...options,
  } as AiProxyOptions)
  return async (body: object) => {
    const response = await post(app.url + at, body)
    await response.text()
    await app.record()
    return response.headers.get('x-cache')
  }
}

describe('cache', () => {
  test('an answer without usage is kept, but not for a client that asks for its usage', async (t) => {
    const ask = await started(t, (call) => call.sse(events).end(terminator))
    const asking = { ...request, stream_options: { include_usage: true } }
    assert.deepEqual([await ask(request), await ask(asking), await ask(request)], ['miss', 'miss', 'hit'])
  })

  test("an answer that a hook has put in the provider's place is not kept", async (t) => {
    const ask = await started(t, (call) => call.json(200, answer), {
      onResponse: () => ({ status: 200, body: answer }),
    })
    const plain = { ...request, stream: false }
    assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'miss'])
  })

  for (const [what, body] of [
    ['that is empty', {}],
    ['that is a list', []],
    ['that is null', null],
    ['with something after it', `${JSON.stringify(answer)}\nOut of memory`],
  ] as const) {
    test(`a JSON answer ${what} is not kept`, async (t) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const ask = await started(t, ({ res }) => res.writeHead(200, { 'content-type': 'application/json' }).end(text))
      const plain = { ...request, stream: false }
      assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'miss'])
    })
  }

  for (const type of [
    ...['function_call', 'custom_tool_call', 'computer_call', 'local_shell_call', 'shell_call', 'apply_patch_call'],
    ...['mcp_call', 'mcp_approval_request', 'web_search_call', 'code_interpreter_call'],
  ]) {
    test(`an answer with a ${type} is not kept`, async (t) => {
      const output = [{ id: 'i', type, status: 'completed' }]
      const response = { id: 'r', object: 'response', status: 'completed', output }
      const ask = await started(t, (call) => call.json(200, response), {}, '/v1/responses')
      const plain = { model: 'm', input: 'Hi', temperature: 0 }
      assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'miss'])
    })
  }

  for (const type of ['tool_use', 'server_tool_use', 'mcp_tool_use']) {
    test(`an answer with a ${type} is not kept`, async (t) => {
      const message = { type: 'message', content: [{ type, id: 'i', name: 'f', input: {} }], stop_reason: 'end_turn' }
      const ask = await started(t, (call) => call.json(200, message), {}, '/v1/messages')
      const plain = { model: 'm', max_tokens: 9, messages: [], temperature: 0 }
      assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'miss'])
    })
  }

  test('an answer with code that the provider has run is not kept, as one without is', async (t) => {
    const code = { executableCode: { language: 'PYTHON', code: '1' } }
    for (const [before, then] of [
      [[], 'hit'],
      [[code], 'miss'],
    ] as const) {
      const said = { candidates: [{ content: { parts: [...before, { text: '1' }] }, finishReason: 'STOP' }] }
      const ask = await started(t, (call) => call.json(200, said), {}, '/v1beta/models/g:generateContent')
      const plain = { contents: [{ parts: [{ text: 'Hi' }] }], generationConfig: { temperature: 0 } }
      assert.deepEqual([await ask(plain), await ask(plain)], ['miss', then])
    }
  })

  test('a text that names a call of a tool is kept', async (t) => {
    const content = '{"type":"computer_call"}, "tool_calls": [1]'
    const said = { id: 'a', choices: [{ message: { content, tool_calls: [] }, finish_reason: 'stop' }] }
    const ask = await started(t, (call) => call.json(200, said))
    const plain = { ...request, stream: false }
    assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'hit'])
  })

  test('an answer that the provider still writes in the background is not kept', async (t) => {
    let count = 0
    const ask = await started(
      t,
      (call) => call.json(200, { id: `resp_${++count}`, status: 'queued', output: [], usage: null }),
      {},
      '/v1/responses',
    )
    const plain = { model: 'm', input: 'Hi', temperature: 0 }
    assert.deepEqual([await ask(plain), await ask(plain)], ['miss', 'miss'])
    // One that asks for it is not even shared while it is under way.
    assert.equal(await ask({ ...plain, background: true }), null)
  })

  test('an answer within a conversation that the provider keeps is not kept, unless the app says so', async (t) => {
    const next = { model: 'm', input: 'And now?', temperature: 0, conversation: 'conv_1' }
    const said = (call: Call) => call.json(200, { id: 'resp_1', status: 'completed', output: [] })
    const ask = await started(t, said, {}, '/v1/responses')
    assert.deepEqual([await ask(next), await ask(next)], [null, null])
    const cache = { ttlMs: 1e6, scope: () => 'all', when: () => true }
    const askAgain = await started(t, said, { cache }, '/v1/responses')
    assert.deepEqual([await askAgain(next), await askAgain(next)], ['miss', 'hit'])
  })

  test('an answer that is longer than cache.maxBytes is not kept, although it can be continued', async (t) => {
    const ask = await started(t, (call) => call.sse(events).end(terminator), {
      cache: { ttlMs: 1e6, scope: () => 'all', maxBytes: 100 },
      resume: { who: () => 'ada' },
    })
    assert.deepEqual([await ask(request), await ask(request)], ['miss', 'miss'])
  })

  test('a request whose key would take long to compute is not shared', async (t) => {
    const ask = await started(t, (call) => call.sse(events).end(terminator))
    const of = (count: number) => ({ ...request, metadata: { list: Array(count).fill({ a: 1 }) } })
    assert.deepEqual([await ask(of(6000)), await ask(of(6000))], ['miss', 'hit'])
    assert.deepEqual([await ask(of(7000)), await ask(of(7000))], [null, null])
  })
})
