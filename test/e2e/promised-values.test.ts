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
