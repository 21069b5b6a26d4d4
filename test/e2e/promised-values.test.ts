import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import type { AiProxyOptions, Policy } from '../../lib/index.js'
import { queue } from '../../lib/queue.js'
import { type QuotaOptions, quota } from '../../lib/quota.js'
import { unhandledRejections } from '../support/unhandled.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }

/** A function that returns a promise where a value is due at once, as JavaScript lets it. */
const promised = (() => Promise.reject(new Error('late'))) as never

/** Asks a route, and returns what was reported. */
async function reportedBy(t: TestContext, given: Partial<AiProxyOptions>) {
  t.mock.method(process, 'emitWarning', () => {})
  const unhandled = unhandledRejections(t)
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const errors: string[] = []
  const onError: AiProxyOptions['onError'] = (error) => void errors.push((error as Error).message)
  const app = await startApp(t, { target: provider.url, onError, ...given })
  const response = await post(app.url + path, request)
  await response.text()
  await app.record()
  app.proxy.stats()
  await nextRound()
  assert.deepEqual(unhandled, [])
  return { status: response.status, errors }
}

const tokens = [{ key: 'all', tokens: 1e6, per: '1d' as const }]
const withQuota = (options: Partial<QuotaOptions>) => ({ policies: [quota({ limits: tokens, ...options })] })
const withPolicy = (policy: Partial<Policy>) => ({ policies: [{ name: 'own', settle() {}, ...policy }] })
const cache = { ttlMs: 1000, scope: () => 'all' }

describe('a promise that rejects where a value is due at once', () => {
  const cases: Record<string, Partial<AiProxyOptions>> = {
    'cache.scope': { cache: { ...cache, scope: promised } },
    'cache.key': { cache: { ...cache, key: promised } },
    'cache.when': { cache: { ...cache, when: promised } },
    'resume.when': { resume: { who: () => 'ada', when: promised } },
    prices: { prices: promised },
    'progress of a policy': withPolicy({ progress: promised }),
    'figures of a policy': withPolicy({ figures: promised }),
    'countInput of a quota': withQuota({ countInput: promised }),
    'assumedOutput of a quota': withQuota({ assumedOutput: promised }),
    'charge of a quota': withQuota({ charge: promised }),
    'key of a queue': { policies: [queue({ key: promised })] },
    'weight of a queue': { policies: [queue({ weight: promised })] },
  }
  for (const [name, given] of Object.entries(cases)) {
    test(`${name}: is reported, and does not end the process`, async (t) => {
      const { errors } = await reportedBy(t, given)
      assert.ok(errors.length > 0)
      for (const error of errors) assert.match(error, /promise/)
    })
  }
})

describe('a promise that rejects in what is returned', () => {
  const rules = (rule: () => unknown) => withQuota({ limits: (() => [rule()]) as never })
  const late = promised as () => never
  const cases: Record<string, [status: number, given: Partial<AiProxyOptions>]> = {
    'fields of a subject': [500, { identify: (() => ({ id: late(), tenant: late(), tier: late() })) as never }],
    'models of a subject': [500, { identify: () => ({ id: 'ada', models: late() as never }) }],
    'a model of a subject': [500, { identify: () => ({ id: 'ada', models: ['gpt-test', late()] }) }],
    'labels of a subject': [500, { identify: () => ({ id: 'ada', labels: late() as never }) }],
    'a label of a subject': [500, { identify: () => ({ id: 'ada', labels: { plan: late(), team: late() } }) }],
    'a label': [200, { labels: () => ({ plan: late() }) }],
    'a model': [500, { models: () => ['gpt-test', late()] }],
    'a rule of a quota': [500, rules(late)],
    'fields of a rule': [500, rules(() => ({ key: late(), tokens: late(), per: late() }))],
    'a field of a second rule': [
      500,
      withQuota({
        limits: () => [
          { key: late(), tokens: 1, per: '1d' },
          { key: late(), tokens: 1, per: '1d' },
        ],
      }),
    ],
    'headers of a policy': [500, withPolicy({ admit: () => ({ headers: late() as never }) })],
    'a header of a policy': [500, withPolicy({ admit: () => ({ headers: { a: late(), b: late() } }) })],
    'the status of a refusal': [500, withPolicy({ admit: () => ({ refuse: { message: 'No', status: late() } }) })],
    'the headers of a refusal': [
      500,
      withPolicy({ admit: () => ({ refuse: { message: 'No', headers: { a: late(), b: late() } } }) }),
    ],
  }
  for (const [name, [status, given]] of Object.entries(cases)) {
    test(`${name}: is reported, and does not end the process`, async (t) => {
      const reported = await reportedBy(t, given)
      assert.deepEqual([reported.status, reported.errors.length], [status, 1])
    })
  }
})

describe('onExceeded of a quota', () => {
  const none = [{ key: 'all', requests: 0, per: '1d' as const }]

  test('may be asynchronous: what it rejects with is reported', async (t) => {
    assert.deepEqual(await reportedBy(t, withQuota({ limits: none, onExceeded: promised })), {
      status: 429,
      errors: ['late'],
    })
  })

  test('may be asynchronous in a rehearsal', async (t) => {
    const given = withQuota({ limits: none, onExceeded: promised, enforce: false })
    assert.deepEqual(await reportedBy(t, given), { status: 200, errors: ['late'] })
  })
})

test('what `charge` of a quota returns is reported if it is no object', async (t) => {
  const { status, errors } = await reportedBy(t, withQuota({ charge: (() => 0) as never }))
  assert.equal(status, 200)
  assert.deepEqual(errors, ['quota: what `charge` returns has to be an object like { tokens, cost }; got 0'])
})
