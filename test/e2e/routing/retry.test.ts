import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { describe, test } from 'node:test'
import type { RetryReason } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'
import { ANSWER, answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { within } from '../support/waiting.js'

const ask = (url: string, init?: RequestInit) => within(post(url + openai.path, openai.request, init), 'the answer')
const QUOTA = `data: ${JSON.stringify({ error: { message: 'You exceeded your current quota', type: 'insufficient_quota', code: 'insufficient_quota' } })}\n\n`

/** Refuses the first requests, and answers the others. */
function late(refused: number, status = 429, headers: Record<string, string> = {}) {
  let calls = 0
  return (call: Call) => (calls++ < refused ? refuse(status, 'later', headers)(call) : answer(call))
}

describe('`attempts`', () => {
  for (const [attempts, expected] of [
    [1, ['a 500']],
    [2, ['a 500', 'b 500']],
    [3, ['a 500', 'a 500', 'b 500']],
    [4, ['a 500', 'a 500', 'b 500', 'b 500']],
    [9, ['a 500', 'a 500', 'b 500', 'b 500']],
  ] as const) {
    test(`bounds the tries of one request at all targets: ${attempts}`, async (t) => {
      const { app } = await startPair(t, refuse(500), refuse(500), { retry: { attempts } })
      assert.equal((await ask(app.url)).status, 500)
      assert.deepEqual(attemptsOf(await app.record()), expected)
    })
  }

  test('is 1 with `retry: false`', async (t) => {
    const { app } = await startPair(t, refuse(500), answer, { retry: false })
    assert.equal((await ask(app.url)).status, 500)
    assert.deepEqual(attemptsOf(await app.record()), ['a 500'])
  })
})

describe('`on` names the failures that lead to another try', () => {
  const failures: Readonly<Record<RetryReason, (call: Call) => unknown>> = {
    connection: (call) => call.reset(),
    'server-error': refuse(503),
    'rate-limit': refuse(429),
    auth: refuse(403),
    timeout: () => {},
    'stream-error': (call) => call.sse([ROLE, QUOTA]).end(),
  }
  const reasons = Object.keys(failures) as RetryReason[]
  for (const reason of reasons) {
    const limits = reason === 'timeout' ? { firstByteTimeoutMs: 300 } : {}
    test(reason, async (t) => {
      const others = reasons.filter((each) => each !== reason)
      const without = await startPair(t, failures[reason], answer, { limits, retry: { on: others } })
      await ask(without.app.url).then(
        (response) => response.text(),
        () => {},
      )
      assert.deepEqual(new Set((await without.app.record()).attempts.map(({ target }) => target)), new Set(['a']))
      const withIt = await startPair(t, failures[reason], answer, { limits, retry: { on: [reason], attempts: 2 } })
      assert.equal(await (await ask(withIt.app.url)).text(), ANSWER)
      assert.equal((await withIt.app.record()).target, 'b')
    })
  }
})

describe('`Retry-After`', () => {
  for (const [spelled, headers] of [
    ['seconds', { 'retry-after': '0' }],
    ['a fraction', { 'retry-after': '0.001' }],
    ['milliseconds', { 'retry-after-ms': '1' }],
    ['a date', { 'retry-after': new Date(Date.now() - 1000).toUTCString() }],
  ] as const) {
    test(`that is short, in ${spelled}, is waited for at the same target`, async (t) => {
      const { app } = await startPair(t, late(1, 429, headers))
      assert.equal(await (await ask(app.url)).text(), ANSWER)
      assert.deepEqual(attemptsOf(await app.record()), ['a 429', 'a'])
    })
  }

  for (const [spelled, headers] of [
    ['seconds', { 'retry-after': '7' }],
    ['milliseconds', { 'retry-after-ms': '7000' }],
    ['a date', { 'retry-after': new Date(Date.now() + 3_000_000).toUTCString() }],
  ] as const) {
    test(`that is longer, in ${spelled}, leads to the next target, and this one cools`, async (t) => {
      const { app } = await startPair(t, late(1, 429, headers))
      assert.equal(await (await ask(app.url)).text(), ANSWER)
      assert.deepEqual(attemptsOf(await app.record()), ['a 429', 'b'])
      const [a] = app.proxy.stats().targets
      const coolsMs = a!.coolingUntil! - Date.now()
      assert.ok(a!.coolingBecause === '429' && coolsMs > 1000 && coolsMs <= 3_000_000, `it cools for ${coolsMs} ms`)
    })
  }

  test('that is longer than `maxWaitMs` leads to the 429 itself, with its headers, if there is no other target', async (t) => {
    const a = await startProvider(t, {
      onCall: refuse(429, 'slow down', {
        'retry-after': '3',
        'x-request-id': 'req_9',
        'x-ratelimit-remaining-requests': '0',
      }),
    })
    const app = await startApp(t, { target: a.url, retry: { maxWaitMs: 2999 } })
    const response = await ask(app.url)
    assert.deepEqual(
      [
        response.status,
        openai.errorIn({ error: { ...((await response.json()) as { error: object }).error, code: 'x' } }).message,
      ],
      [429, 'slow down'],
    )
    const { headers } = response
    assert.deepEqual([headers.get('retry-after'), headers.get('x-ratelimit-remaining-requests')], ['3', '0'])
    assert.deepEqual([a.calls.length, (await app.record()).attempts.length], [1, 1])
  })

  test('of a 503 is waited for, too', async (t) => {
    const { app } = await startPair(t, late(1, 503, { 'retry-after-ms': '1' }))
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a 503', 'a'])
  })
})

describe('`x-should-retry`', () => {
  const no = { 'x-should-retry': 'false' }
  const yes = { 'x-should-retry': 'true' }

  for (const [status, headers] of [
    [500, no],
    [503, { ...no, 'retry-after-ms': '1' }],
    [429, { ...no, 'retry-after': '0' }],
  ] as const) {
    test(`that is false leads to the next target at once: ${status}`, async (t) => {
      const { app } = await startPair(t, late(1, status, headers))
      assert.equal(await (await ask(app.url)).text(), ANSWER)
      assert.deepEqual(attemptsOf(await app.record()), [`a ${status}`, 'b'])
    })
  }

  test('that is false is the client’s, with the error, if there is no other target', async (t) => {
    const a = await startProvider(t, { onCall: late(1, 500, no) })
    const app = await startApp(t, { target: a.url, retry: { backoffMs: [0, 0] } })
    const response = await ask(app.url)
    assert.deepEqual([response.status, response.headers.get('x-should-retry'), a.calls.length], [500, 'false', 1])
  })

  for (const status of [400, 401, 409, 429]) {
    test(`that is true leads to the same target again: ${status}`, async (t) => {
      const { app } = await startPair(t, late(1, status, yes))
      assert.equal(await (await ask(app.url)).text(), ANSWER)
      assert.deepEqual(attemptsOf(await app.record()), [`a ${status}`, 'a'])
    })
  }

  test('that is true leads to the next target after the same, which does not cool', async (t) => {
    const { app } = await startPair(t, late(2, 401, yes))
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a 401', 'a 401', 'b'])
    assert.equal(app.proxy.stats().targets[0]?.coolingUntil, undefined)
  })
})

describe('`withinMs`', () => {
  test('lets no attempt start later, so that a slow failure is not tried again', async (t) => {
    const { app } = await startPair(t, (call) => setImmediate(refuse(500), call), answer, { retry: { withinMs: 0 } })
    assert.equal((await ask(app.url)).status, 500)
    assert.deepEqual(attemptsOf(await app.record()), ['a 500'])
  })
})

describe('one `target` with `retry`', () => {
  test('is asked again', async (t) => {
    const a = await startProvider(t, { onCall: late(1, 500) })
    const app = await startApp(t, { target: a.url, retry: { backoffMs: [0, 0] } })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    const name = `127.0.0.1:${a.port}`
    assert.deepEqual(attemptsOf(await app.record()), [`${name} 500`, name])
  })

  test('is asked once more, and no more than that', async (t) => {
    const a = await startProvider(t, { onCall: late(2, 500) })
    const app = await startApp(t, { target: a.url, retry: { backoffMs: [0, 0], attempts: 9 } })
    assert.equal((await ask(app.url)).status, 500)
    assert.equal(a.calls.length, 2)
  })
})

describe('one `target` without `retry`', () => {
  for (const act of [
    refuse(500),
    refuse(429, 'x', { 'retry-after': '0' }),
    (call: Call) => call.sse([ROLE, QUOTA]).end(),
  ]) {
    test('is asked once, and what it says is the client’s', async (t) => {
      const a = await startProvider(t, { onCall: act })
      const app = await startApp(t, { target: a.url })
      await (await ask(app.url)).text()
      assert.deepEqual([a.calls.length, (await app.record()).attempts.length], [1, 1])
      assert.deepEqual(app.proxy.stats().targets, [])
    })
  }
})

describe('what was sent before content is thrown away', () => {
  test('if the quota turns out to be used up after a contentless first event', async (t) => {
    const { app } = await startPair(t, (call) => call.sse([ROLE, QUOTA]).end())
    assert.equal(await (await ask(app.url)).text(), ANSWER)
  })

  test('also by `response.created`, so that there is one beginning', async (t) => {
    const { responses } = streams
    const failed = Buffer.from(
      `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'insufficient_quota', message: 'Quota', sequence_number: 1 })}\n\n`,
    )
    const { app } = await startPair(
      t,
      (call) => sendStream(call, responses, [responses.frames[0]!, failed]).end(),
      (call) => sendStream(call, responses, responses.frames).end(),
    )
    const response = await post(app.url + responses.path, responses.request)
    assert.equal(await response.text(), Buffer.concat(responses.frames).toString())
    const record = await app.record()
    assert.deepEqual([record.target, record.outcome, record.responseId], ['b', 'completed', 'resp-1'])
  })

  test('and the second attempt does not pass for whole if it is truncated', async (t) => {
    const { app } = await startPair(t, refuse(500), (call) => call.sse([openai.events[0]]).end())
    const text = await (await ask(app.url)).text()
    assert.match(text, /before it was complete/)
    const { outcome, code, target } = await app.record()
    assert.deepEqual([outcome, code, target], ['upstream_error', 'upstream_truncated', 'b'])
  })
})

describe('all fail', () => {
  test('in a stream: the client gets what the first one said', async (t) => {
    const { app } = await startPair(t, (call) => call.sse([ROLE, QUOTA]).end(), refuse(401))
    const text = await (await ask(app.url)).text()
    assert.match(text, /You exceeded your current quota/)
    assert.doesNotMatch(text, /no 401/)
    assert.equal((await app.record()).target, 'a')
  })

  test('the first without a word: the client gets what the second one said', async (t) => {
    const { app } = await startPair(t, (call) => call.reset(), refuse(502, 'the second says'))
    const response = await ask(app.url)
    assert.deepEqual([response.status, /the second says/.test(await response.text())], [502, true])
    assert.equal((await app.record()).target, 'b')
  })

  test('and each attempt is counted, with as many as the providers saw', async (t) => {
    const { a, b, app } = await startPair(t, refuse(429), refuse(529), { retry: { attempts: 50 } })
    await (await ask(app.url)).text()
    assert.deepEqual(attemptsOf(await app.record()), ['a 429', 'b 529', 'b 529'])
    assert.deepEqual([a.calls.length, b.calls.length], [1, 2])
    const stats = app.proxy.stats().targets
    assert.deepEqual(
      stats.map(({ attempts, failures, inFlight }) => [attempts, failures, inFlight]),
      [
        [1, 1, 0],
        [2, 2, 0],
      ],
    )
  })
})

test('an upload that streams through has one attempt', async (t) => {
  const { a, b, app } = await startPair(t, (call) => call.body.then(() => refuse(500)(call)))
  const form = new FormData()
  form.append('file', new Blob(['audio']), 'a.mp3')
  form.append('model', 'whisper-1')
  const response = await fetch(`${app.url}/v1/audio/transcriptions`, { method: 'POST', body: form })
  assert.equal(response.status, 500)
  assert.match(await response.text(), /no 500/)
  assert.deepEqual(attemptsOf(await app.record()), ['a 500'])
  assert.deepEqual([a.calls.length, b.calls.length], [1, 0])
})

describe('a failure of an upload', () => {
  const failures: Readonly<Record<string, (call: Call) => unknown>> = {
    'that is not answered within `firstByteTimeoutMs`': () => {},
    'of which the target resets the connection': (call) => call.reset(),
    'that is answered with 408': refuse(408),
  }
  for (const [what, act] of Object.entries(failures)) {
    for (const [whose, isWhole, failed] of [
      ['none of the target while the client sends it', false, 0],
      ['one of the target once it is there', true, 1],
    ] as const) {
      test(`${what} is ${whose}`, async (t) => {
        const onCall = async (call: Call) => {
          if (isWhole) await call.text
          act(call)
        }
        const { app } = await startPair(t, onCall, answer, { limits: { firstByteTimeoutMs: 200 } })
        const headers = { 'content-type': 'audio/mpeg' }
        const request = http.request(`${app.url}/v1/audio/transcriptions`, { method: 'POST', headers })
        t.after(() => request.destroy())
        const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
        request.write('audio')
        if (isWhole) request.end()
        const [response] = await within(answered, 'the answer')
        response.resume()
        assert.ok(response.statusCode! >= 400)
        assert.equal((await app.record()).attempts.length, 1)
        const [target] = app.proxy.stats().targets
        assert.deepEqual(
          [target!.failures, target!.coolingUntil !== undefined],
          [failed, isWhole && /resets/.test(what)],
        )
      })
    }
  }
})
