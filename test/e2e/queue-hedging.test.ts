import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { type QueueOptions, queue } from '../../lib/queue.js'
import type { App } from './support/app.js'
import { connect, type RawClient } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { answer, attemptsOf, ROLE, refuse, startPair } from './support/targets.js'
import { until } from './support/waiting.js'

const { path, request, events } = openai
const one = { maxConcurrent: 1 }

/** Two targets with a place each. Their first calls are the test's, and both answer all others at once. */
async function started(t: TestContext, options: QueueOptions = {}, given: Partial<AiProxyOptions> = {}) {
  const policy = queue(options)
  let held = 2
  const onCall = (call: Call) => (held > 0 ? held-- : answer(call))
  const hedge = { afterMs: 1 }
  const pair = await startPair(t, onCall, onCall, { policies: [policy], hedge, ofA: one, ofB: one, ...given } as never)
  const { app, a, b } = pair
  const ask = async (model = 'm') => (await connect(t, app.port)).post(`/ai${path}`, { ...request, model })
  const inFlight = () => app.proxy.stats().targets.map((target) => target.inFlight)
  /** Asks, and is asked at both targets; asks once more, which must wait. */
  const both = async () => {
    const client = await ask()
    const calls: [Call, Call] = [await a.next(), await b.next()]
    assert.deepEqual([inFlight(), policy.stats().running], [[1, 1], 1])
    const next = await ask('next')
    await until(() => policy.stats().waiting === 1, 'the next one waits')
    return { client, calls, next }
  }
  return { ...pair, policy, ask, inFlight, both }
}

/** Ways in which an exchange with two attempts under way ends, and what its record says. */
interface Way {
  readonly attempts: readonly string[]
  readonly outcome: string
  readonly given?: Partial<AiProxyOptions>
  end(of: { readonly client: RawClient; readonly calls: [Call, Call]; readonly app: App }): unknown
}

const content = [ROLE, events[0]!]
const ways: Readonly<Record<string, Way>> = {
  'the first attempt wins': {
    attempts: ['a', 'b outrun'],
    outcome: 'completed',
    end: ({ calls: [first] }) => answer(first),
  },
  'the hedged one wins': {
    attempts: ['a outrun', 'b'],
    outcome: 'completed',
    end: ({ calls: [, second] }) => answer(second),
  },
  'one fails, and the other answers': {
    attempts: ['a 400', 'b'],
    outcome: 'completed',
    end: async ({ calls: [first, second], app }) => {
      refuse(400)(first)
      await until(() => app.proxy.stats().targets[0]?.inFlight === 0, 'the first has failed')
      answer(second)
    },
  },
  'both refuse': {
    attempts: ['a 400', 'b 400'],
    outcome: 'provider_error',
    end: async ({ calls: [first, second], app }) => {
      refuse(400)(first)
      await until(() => app.proxy.stats().targets[0]?.inFlight === 0, 'the first has failed')
      refuse(400)(second)
    },
  },
  'the one that wins breaks off': {
    attempts: ['a outrun', 'b upstream_reset'],
    outcome: 'upstream_error',
    end: async ({ client, calls: [, second] }) => {
      second.sse(content)
      await client.sees(/data: /)
      second.reset()
    },
  },
  'the client leaves before there is content': {
    attempts: ['a abandoned', 'b abandoned'],
    outcome: 'client_disconnect',
    end: ({ client }) => client.leave(),
  },
  'the client leaves in the middle of the answer': {
    attempts: ['a outrun', 'b abandoned'],
    outcome: 'client_disconnect',
    end: async ({ client, calls: [, second] }) => {
      second.sse(content)
      await client.sees(/data: /)
      client.leave()
    },
  },
  'the app aborts it': {
    attempts: ['a abandoned', 'b abandoned'],
    outcome: 'rejected',
    end: ({ app }) => app.proxy.abort(app.proxy.exchanges()[0]!.id),
  },
  'neither answers in time': {
    attempts: ['a first_byte_timeout', 'b first_byte_timeout'],
    outcome: 'limit_exceeded',
    given: { limits: { firstByteTimeoutMs: 300 }, retry: { attempts: 2 } },
    end: () => {},
  },
}

describe('an exchange with a hedged attempt gives back its place, and both of the targets', () => {
  for (const [name, way] of Object.entries(ways)) {
    test(name, async (t) => {
      const { app, policy, both, inFlight } = await started(t, {}, way.given)
      const { client, calls, next } = await both()
      await way.end({ client, calls, app })
      await next.sees('[DONE]')
      const [one, other] = [await app.record(), await app.record()]
      // The next one may have its answer before the second attempt has failed as well.
      const [ended, followed] = one.model === 'next' ? [other, one] : [one, other]
      assert.deepEqual([ended.outcome, attemptsOf(ended)], [way.outcome, way.attempts])
      assert.equal(followed.outcome, 'completed')
      assert.deepEqual([policy.stats().running, policy.stats().waiting], [0, 0])
      await until(() => inFlight().every((count) => count === 0), 'no attempt is under way')
    })
  }
})

test('a hedged attempt takes no second place in the queue', async (t) => {
  const { policy, both } = await started(t, { maxConcurrent: 2 }, { hedge: { afterMs: 1 } })
  await both()
  assert.deepEqual([policy.stats().running, policy.stats().waiting], [1, 1])
})

test('a hedged attempt passes over a target that is full', async (t) => {
  const c = await startProvider(t, { onCall: answer })
  const full = { maxConcurrent: 1, models: ['m', 'other'] }
  const { a, b, app, ask, inFlight } = await started(t, {}, {
    ofA: { maxConcurrent: 2, models: ['m'] },
    ofB: full,
    more: [{ name: 'c', target: c.url, priority: 2, maxConcurrent: 1, models: ['m'] }],
  } as never)
  await ask('other')
  await b.next()
  const client = await ask()
  await a.next()
  await client.sees('[DONE]')
  assert.deepEqual(attemptsOf(await app.record()), ['a outrun', 'c'])
  assert.deepEqual([b.calls.length, inFlight()[1]], [1, 1])
})
