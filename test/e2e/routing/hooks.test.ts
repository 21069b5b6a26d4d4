import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Call, Owner } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, KEYS, refuse, startPair } from '../support/targets.js'

const ask = (url: string) => post(url + openai.path, openai.request)

test('`onRequest` runs once, and its changes reach each attempt', async (t) => {
  let runs = 0
  const { a, b, app } = await startPair(t, refuse(500), answer, {
    onRequest: ({ body, headers }) => {
      runs++
      headers['x-run'] = String(runs)
      body!.user = `run-${runs}`
    },
  })
  assert.equal(await (await ask(app.url)).text(), ANSWER)
  assert.equal(runs, 1)
  for (const call of [...a.calls, ...b.calls]) {
    assert.equal(call.headers['x-run'], '1')
    assert.equal((JSON.parse(await call.text) as { user: string }).user, 'run-1')
  }
})

describe('`onAttempt`', () => {
  test('runs for each attempt, with its target, and changes that attempt only', async (t) => {
    const seen: string[] = []
    const { a, b, app } = await startPair(t, refuse(500), answer, {
      retry: { attempts: 2 },
      onAttempt: async ({ target, request }, { model }) => {
        await Promise.resolve()
        seen.push(`${target} ${request.method} ${model} ${request.headers['x-sig']}`)
        request.headers['x-sig'] = `${target}:${request.body?.length}`
        request.headers.host = 'evil.test'
        request.headers['content-length'] = '0'
      },
    })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(seen, ['a POST gpt-test undefined', 'b POST gpt-test undefined'])
    for (const [name, { calls, port }] of Object.entries({ a, b })) {
      const call = calls[0]!
      const { length } = await call.text
      assert.deepEqual([call.headers['x-sig'], call.headers.host], [`${name}:${length}`, `127.0.0.1:${port}`])
      assert.equal(call.headers['content-length'], String(length))
    }
  })

  for (const [what, onAttempt] of [
    [
      'that throws',
      ({ target }: { target: string }) => {
        if (target === 'a') throw new Error(`no signer with ${KEYS.a}`)
      },
    ],
    [
      'that sets a header that HTTP forbids',
      ({ target, request }: { target: string; request: { headers: Record<string, unknown> } }) => {
        if (target === 'a') request.headers['x-sig'] = 'a\r\nb: c'
      },
    ],
  ] as const) {
    test(`${what} is reported, and the next target answers`, async (t) => {
      const reported: unknown[] = []
      const { a, app } = await startPair(t, answer, answer, {
        onAttempt: onAttempt as NonNullable<AiProxyOptions['onAttempt']>,
        onError: (_, { hook, exchange }) => void reported.push(hook, exchange?.model),
      })
      assert.equal(await (await ask(app.url)).text(), ANSWER)
      assert.deepEqual(reported, ['onAttempt', 'gpt-test'])
      assert.deepEqual(attemptsOf(await app.record()), ['a internal_error', 'b'])
      const { attempts, failures, coolingUntil } = app.proxy.stats().targets[0]!
      assert.deepEqual([a.calls.length, attempts, failures, coolingUntil], [0, 1, 0, undefined])
    })
  }

  test('that always throws fails the request, and its message stays here', async (t) => {
    const { app } = await startPair(t, answer, answer, {
      onAttempt: () => {
        throw new Error(`no signer with ${KEYS.a}`)
      },
    })
    const response = await ask(app.url)
    const text = await response.text()
    assert.deepEqual([response.status, openai.errorIn(JSON.parse(text)).code], [500, 'internal_error'])
    assert.ok(!text.includes('signer'), text)
  })

  test('that never returns is given up after `firstByteTimeoutMs`', async (t) => {
    const { a, app } = await startPair(t, answer, answer, {
      limits: { firstByteTimeoutMs: 300 },
      retry: { attempts: 2 },
      onAttempt: ({ target }) => (target === 'a' ? new Promise<void>(() => {}) : undefined),
    })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a unprepared', 'b'])
    assert.deepEqual([a.calls.length, app.proxy.stats().targets[0]?.failures], [0, 0])
  })

  test('masks what it adds, which may be a secret', async (t) => {
    const blabs = (call: Call) => refuse(400, `bad token ${String(call.headers['x-amz-security-token'])}`)(call)
    const { app } = await startPair(t, blabs, answer, {
      onAttempt: ({ request }) => {
        request.headers['x-amz-security-token'] = 'session-token-0123456789'
      },
    })
    const text = await (await ask(app.url)).text()
    assert.match(text, /bad token \*+/)
  })
})

describe('hooks for the answer see only the one that the client gets', () => {
  const start = (t: Owner, options: Partial<AiProxyOptions>) => startPair(t, refuse(500), answer, options)

  test('`onResponse`', async (t) => {
    const seen: unknown[] = []
    const { app } = await start(t, { onResponse: ({ status }) => void seen.push(status) })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(seen, [200])
  })

  test('`onAnswer`', async (t) => {
    const seen: unknown[] = []
    const json = {
      id: 'c',
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
    }
    const { app } = await startPair(t, refuse(500), (call) => call.json(200, json), {
      onAnswer: (answered) => void seen.push((answered as { body: unknown }).body),
    })
    const response = await post(app.url + openai.path, { ...openai.request, stream: false })
    assert.deepEqual(await response.json(), json)
    assert.deepEqual(seen, [json])
  })

  test('the function in `errors`, once, if all fail', async (t) => {
    let calls = 0
    const { app } = await startPair(
      t,
      (call) => call.reset(),
      (call) => call.reset(),
      {
        errors: (error) => {
          calls++
          return { status: 599, body: { gone: error.code } }
        },
      },
    )
    const response = await ask(app.url)
    assert.deepEqual([response.status, await response.json(), calls], [599, { gone: 'upstream_reset' }, 1])
  })
})
