import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import perfHooks from 'node:perf_hooks'
import { describe, type TestContext, test } from 'node:test'
import { Counter, Registry } from 'prom-client'
import type { AiProxyStats } from '../../lib/api/stats.js'
import { type PrometheusObserverOptions, prometheusObserver } from '../../lib/metrics/prometheus-observer.js'
import { attemptOf, recordOf, unknownModelRecord } from './support/records.js'
import { bucketsOf, samplesOf } from './support/scrape.js'

function observed(t: TestContext, options: Partial<PrometheusObserverOptions> = {}) {
  const register = options.register ?? new Registry()
  const observer = prometheusObserver({ ...options, register })
  t.after(() => observer.close())
  return { observer, register, samples: (metric: string) => samplesOf(register, metric) }
}

function proxyWith(stats: Partial<AiProxyStats>) {
  const idle = { active: 0, streams: 0, waitingForDrain: 0, waitingForTurn: 0, targets: [], policies: [] }
  return { stats: () => ({ ...idle, ...stats }) as AiProxyStats }
}

describe('counters', () => {
  test('count exchanges, by format, model and outcome', async (t) => {
    const { observer, samples } = observed(t)
    observer.onFinish?.(recordOf())
    observer.onFinish?.(recordOf())
    observer.onFinish?.(recordOf({ outcome: 'client_disconnect' }))
    observer.onFinish?.(recordOf({ format: 'anthropic', model: 'claude', path: '/v1/messages' }))
    observer.onFinish?.(recordOf({ model: undefined, responseModel: undefined }))
    observer.onFinish?.(unknownModelRecord('made-up'))
    assert.deepEqual(await samples('ai_proxy_exchanges_total'), [
      'ai_proxy_exchanges_total{format="openai-chat",model="gpt-4o",target="api.openai.com",outcome="completed",status="200"} 2',
      'ai_proxy_exchanges_total{format="openai-chat",model="gpt-4o",target="api.openai.com",outcome="client_disconnect",status="200"} 1',
      'ai_proxy_exchanges_total{format="anthropic",model="claude",target="api.openai.com",outcome="completed",status="200"} 1',
      'ai_proxy_exchanges_total{format="openai-chat",model="none",target="api.openai.com",outcome="completed",status="200"} 1',
      'ai_proxy_exchanges_total{format="openai-chat",model="other",target="api.openai.com",outcome="provider_error",status="404"} 1',
    ])
  })

  test('count exchanges by the provider’s status, or ours if it did not answer', async (t) => {
    const { observer, register } = observed(t)
    const failed = { outcome: 'provider_error' } as const
    for (const [status, providerStatus] of [
      [200, 503],
      [502, undefined],
      [undefined, undefined],
    ] as const) {
      observer.onFinish?.({ ...recordOf(failed), status, providerStatus })
    }
    const counted = await samplesOf(register, 'ai_proxy_exchanges_total')
    assert.deepEqual(
      counted.map((sample) => /status="(.*?)"/.exec(sample)?.[1]),
      ['503', '502', 'none'],
    )
  })

  test('count tokens, by kind, with estimates separate', async (t) => {
    const { observer, samples } = observed(t)
    const usage = {
      inputTokens: 100,
      outputTokens: 50,
      totalTokens: 150,
      cachedInputTokens: 80,
      cacheWriteTokens: 5,
      reasoningTokens: 30,
      estimated: false,
    }
    observer.onFinish?.(recordOf({ usage }))
    observer.onFinish?.(recordOf({ usage: { inputTokens: 7, outputTokens: 0, estimated: false } }))
    observer.onFinish?.(recordOf({ usage: { outputTokens: 9, estimated: true } }))
    observer.onFinish?.(recordOf({ usage: undefined }))
    const labels = 'format="openai-chat",model="gpt-4o",target="api.openai.com"'
    assert.deepEqual(await samples('ai_proxy_tokens_total'), [
      `ai_proxy_tokens_total{${labels},kind="input",estimated="false"} 107`,
      `ai_proxy_tokens_total{${labels},kind="output",estimated="false"} 50`,
      `ai_proxy_tokens_total{${labels},kind="cached_input",estimated="false"} 80`,
      `ai_proxy_tokens_total{${labels},kind="cache_write",estimated="false"} 5`,
      `ai_proxy_tokens_total{${labels},kind="reasoning",estimated="false"} 30`,
      `ai_proxy_tokens_total{${labels},kind="output",estimated="true"} 9`,
    ])
  })

  test('count tokens with the same meaning for all providers: cached input is input', async (t) => {
    const { observer, samples } = observed(t)
    const usage = { inputTokens: 10, cachedInputTokens: 90, estimated: false }
    observer.onFinish?.(recordOf({ format: 'anthropic', model: 'claude', usage }))
    assert.deepEqual(await samples('ai_proxy_tokens_total'), [
      'ai_proxy_tokens_total{format="anthropic",model="claude",target="api.openai.com",kind="input",estimated="false"} 100',
      'ai_proxy_tokens_total{format="anthropic",model="claude",target="api.openai.com",kind="cached_input",estimated="false"} 90',
    ])
  })

  test('count hits, joins and misses, and the tokens only of whom the provider answered', async (t) => {
    const { observer, samples } = observed(t)
    const usage = { inputTokens: 10, estimated: false }
    for (const cache of ['miss', 'hit', 'join', 'hit', undefined] as const) {
      observer.onFinish?.(recordOf({ usage, cache }))
    }
    assert.deepEqual(await samples('ai_proxy_cache_requests_total'), [
      'ai_proxy_cache_requests_total{result="miss"} 1',
      'ai_proxy_cache_requests_total{result="hit"} 2',
      'ai_proxy_cache_requests_total{result="join"} 1',
    ])
    assert.deepEqual(await samples('ai_proxy_tokens_total'), [
      'ai_proxy_tokens_total{format="openai-chat",model="gpt-4o",target="api.openai.com",kind="input",estimated="false"} 20',
    ])
  })

  test('ignore invalid figures', async (t) => {
    const { observer, samples } = observed(t)
    const usage = { inputTokens: -5, outputTokens: Number.POSITIVE_INFINITY, reasoningTokens: 3, estimated: false }
    observer.onFinish?.(recordOf({ usage, outputTokensPerSecond: Number.POSITIVE_INFINITY }))
    assert.deepEqual(await samples('ai_proxy_tokens_total'), [
      'ai_proxy_tokens_total{format="openai-chat",model="gpt-4o",target="api.openai.com",kind="reasoning",estimated="false"} 3',
    ])
    assert.deepEqual(await samples('ai_proxy_output_tokens_per_second'), [])
  })

  test('count bytes in each direction', async (t) => {
    const { observer, samples } = observed(t)
    for (let i = 0; i < 3; i++) observer.onFinish?.(recordOf())
    assert.deepEqual(await samples('ai_proxy_request_bytes_total'), ['ai_proxy_request_bytes_total 300'])
    assert.deepEqual(await samples('ai_proxy_upstream_bytes_total'), ['ai_proxy_upstream_bytes_total 15000'])
    assert.deepEqual(await samples('ai_proxy_downstream_bytes_total'), ['ai_proxy_downstream_bytes_total 15030'])
  })

  test('count exchanges by the target that served them; none if none was asked', async (t) => {
    const { observer, samples } = observed(t)
    observer.onFinish?.(recordOf({ target: 'eu' }))
    observer.onFinish?.(recordOf({ target: undefined, outcome: 'rejected', status: 503 }))
    assert.deepEqual(await samples('ai_proxy_exchanges_total'), [
      'ai_proxy_exchanges_total{format="openai-chat",model="gpt-4o",target="eu",outcome="completed",status="200"} 1',
      'ai_proxy_exchanges_total{format="openai-chat",model="gpt-4o",target="none",outcome="rejected",status="503"} 1',
    ])
  })

  test('count attempts, by target and by how they ended', async (t) => {
    const { observer, samples } = observed(t)
    const target = 'b'
    const served = attemptOf({ target })
    observer.onFinish?.(recordOf({ target, attempts: [attemptOf({ target: 'a', status: 429 }), served] }))
    observer.onFinish?.(recordOf({ target, attempts: [attemptOf({ target: 'a', code: 'upstream_error' }), served] }))
    const refused = attemptOf({ target: 'a', status: undefined, code: 'upstream_unreachable' })
    observer.onFinish?.(recordOf({ target, attempts: [refused, refused, served] }))
    observer.onFinish?.(recordOf({ target, attempts: [attemptOf({ target: 'a', code: 'outrun' }), served] }))
    assert.deepEqual(await samples('ai_proxy_attempts_total'), [
      'ai_proxy_attempts_total{target="a",reason="429"} 1',
      'ai_proxy_attempts_total{target="b",reason="ok"} 4',
      'ai_proxy_attempts_total{target="a",reason="upstream_error"} 1',
      'ai_proxy_attempts_total{target="a",reason="upstream_unreachable"} 2',
      'ai_proxy_attempts_total{target="a",reason="outrun"} 1',
    ])
  })

  test('count limits that were hit, by name', async (t) => {
    const { observer, samples } = observed(t)
    const hit = { outcome: 'limit_exceeded', code: 'idle_timeout', limit: 'idleTimeoutMs' } as const
    observer.onFinish?.(recordOf(hit))
    observer.onFinish?.(recordOf(hit))
    observer.onFinish?.(recordOf({ ...hit, code: 'slow_client', limit: 'drainTimeoutMs' }))
    observer.onFinish?.(recordOf())
    assert.deepEqual(await samples('ai_proxy_limit_hits_total'), [
      'ai_proxy_limit_hits_total{limit="idleTimeoutMs"} 2',
      'ai_proxy_limit_hits_total{limit="drainTimeoutMs"} 1',
    ])
  })
})

test("the app's labels are on every metric by model, and on limits", async (t) => {
  const { observer, register } = observed(t, { labels: ['tenant', 'plan'] })
  const limit = { outcome: 'limit_exceeded', code: 'idle_timeout', limit: 'idleTimeoutMs' } as const
  observer.onFinish?.(recordOf({ labels: { tenant: 'acme', feature: 'chat' } }))
  observer.onFinish?.(recordOf({ labels: { tenant: 'acme' }, ...limit }))
  for (const line of (await register.metrics()).split('\n')) {
    if (!/^ai_proxy_\w+\{.*(?:model|limit)=/.test(line)) assert.doesNotMatch(line, /tenant/)
    else assert.match(line, /[{,]tenant="acme",plan="none"[,}]/)
    assert.doesNotMatch(line, /feature/)
  }
  for (const metric of ['exchanges_total', 'tokens_total', 'duration_seconds', 'limit_hits_total']) {
    assert.match((await samplesOf(register, `ai_proxy_${metric}`)).join(), /tenant="acme"/, metric)
  }
})

describe('histograms', () => {
  test('have times in seconds, and the token rate', async (t) => {
    const { observer, register, samples } = observed(t)
    observer.onFinish?.(recordOf())
    const bucket = (metric: string) => bucketsOf(register, `ai_proxy_${metric}`)
    assert.deepEqual(await bucket('time_to_first_byte_seconds'), { '0.25': 1 })
    assert.deepEqual(await bucket('time_to_first_token_seconds'), { '0.5': 1 })
    assert.deepEqual(await bucket('duration_seconds'), { '2.5': 1 })
    assert.deepEqual(await bucket('output_tokens_per_second'), { '50': 1 })
    assert.deepEqual((await samples('ai_proxy_time_to_first_byte_seconds')).slice(-2), [
      'ai_proxy_time_to_first_byte_seconds_sum{format="openai-chat",model="gpt-4o",target="api.openai.com"} 0.2',
      'ai_proxy_time_to_first_byte_seconds_count{format="openai-chat",model="gpt-4o",target="api.openai.com"} 1',
    ])
    assert.deepEqual((await samples('ai_proxy_duration_seconds')).slice(-2), [
      'ai_proxy_duration_seconds_sum{format="openai-chat",model="gpt-4o",target="api.openai.com",outcome="completed"} 1.5',
      'ai_proxy_duration_seconds_count{format="openai-chat",model="gpt-4o",target="api.openai.com",outcome="completed"} 1',
    ])
  })

  test('have no time for what did not happen', async (t) => {
    const { observer, samples } = observed(t)
    const nothing = { firstByteMs: undefined, firstTokenMs: undefined, outputTokensPerSecond: undefined }
    observer.onFinish?.(recordOf({ outcome: 'rejected', code: 'overloaded', status: 503, durationMs: 1, ...nothing }))
    assert.deepEqual(await samples('ai_proxy_time_to_first_byte_seconds'), [])
    assert.deepEqual(await samples('ai_proxy_time_to_first_token_seconds'), [])
    assert.deepEqual(await samples('ai_proxy_output_tokens_per_second'), [])
    assert.deepEqual((await samples('ai_proxy_duration_seconds')).slice(-2), [
      'ai_proxy_duration_seconds_sum{format="openai-chat",model="other",target="api.openai.com",outcome="rejected"} 0.001',
      'ai_proxy_duration_seconds_count{format="openai-chat",model="other",target="api.openai.com",outcome="rejected"} 1',
    ])
  })

  test('have the durations of turns', async (t) => {
    const { observer, register, samples } = observed(t)
    for (const ms of [0.05, 0.2, 0.2, 3]) observer.onTurn?.(ms)
    assert.deepEqual(await bucketsOf(register, 'ai_proxy_turn_seconds'), { '0.00005': 1, '0.00025': 2, '0.005': 1 })
    assert.deepEqual((await samples('ai_proxy_turn_seconds')).slice(-1), ['ai_proxy_turn_seconds_count 4'])
  })
})

describe('gauges', () => {
  test('add up all middlewares; waiting turns are counted per process', async (t) => {
    const { observer, samples } = observed(t)
    const first = proxyWith({ active: 5, streams: 4, waitingForDrain: 1, waitingForTurn: 9 })
    observer.onProxy?.(first)
    observer.onProxy?.(proxyWith({ active: 2, streams: 1, waitingForDrain: 1, waitingForTurn: 9 }))
    observer.onProxy?.(first)
    assert.deepEqual(await samples('ai_proxy_active_exchanges'), ['ai_proxy_active_exchanges 7'])
    assert.deepEqual(await samples('ai_proxy_streams'), ['ai_proxy_streams 5'])
    assert.deepEqual(await samples('ai_proxy_waiting_for_drain'), ['ai_proxy_waiting_for_drain 2'])
    assert.deepEqual(await samples('ai_proxy_waiting_for_turn'), ['ai_proxy_waiting_for_turn 9'])
  })

  test('have the values at the time of the scrape', async (t) => {
    const { observer, samples } = observed(t)
    assert.deepEqual(await samples('ai_proxy_waiting_for_turn'), ['ai_proxy_waiting_for_turn 0'])
    let streams = 1
    observer.onProxy?.({ stats: () => proxyWith({ streams }).stats() })
    assert.deepEqual(await samples('ai_proxy_streams'), ['ai_proxy_streams 1'])
    streams = 0
    assert.deepEqual(await samples('ai_proxy_streams'), ['ai_proxy_streams 0'])
  })

  test('have the state of each target, added up over all middlewares', async (t) => {
    const { observer, samples } = observed(t)
    const target = {
      ...{ inFlight: 0, coolingUntil: undefined, coolingBecause: undefined },
      ...{ attempts: 0, failures: 0, firstTokenMs: undefined, samples: 0 },
    }
    const cooling = { ...target, name: 'a', inFlight: 2, coolingUntil: 1_700_000_000_000, coolingBecause: '429' }
    let targets: AiProxyStats['targets'] = [cooling, { ...target, name: 'b', inFlight: 3 }]
    observer.onProxy?.({ stats: () => proxyWith({ targets }).stats() })
    observer.onProxy?.(proxyWith({ targets: [{ ...target, name: 'b', inFlight: 4 }] }))
    assert.deepEqual(await samples('ai_proxy_target_in_flight'), [
      'ai_proxy_target_in_flight{target="a"} 2',
      'ai_proxy_target_in_flight{target="b"} 7',
    ])
    assert.deepEqual(await samples('ai_proxy_target_cooling'), [
      'ai_proxy_target_cooling{target="a"} 1',
      'ai_proxy_target_cooling{target="b"} 0',
    ])
    targets = [{ ...target, name: 'a' }]
    assert.deepEqual(await samples('ai_proxy_target_in_flight'), [
      'ai_proxy_target_in_flight{target="a"} 0',
      'ai_proxy_target_in_flight{target="b"} 4',
    ])
    assert.deepEqual((await samples('ai_proxy_target_cooling'))[0], 'ai_proxy_target_cooling{target="a"} 0')
  })

  test('have the event-loop delay', async (t) => {
    const { samples } = observed(t)
    const names = (await samples('ai_proxy_event_loop_delay_seconds')).map((line) => line.replace(/ \d.*$/, ''))
    assert.deepEqual(names, [
      'ai_proxy_event_loop_delay_seconds{quantile="0.5"}',
      'ai_proxy_event_loop_delay_seconds{quantile="0.99"}',
      'ai_proxy_event_loop_delay_seconds{quantile="1"}',
    ])
  })
})

test('measure the event loop from the start to close(), and not for an observer that is rejected', (t) => {
  const monitor = perfHooks.monitorEventLoopDelay()
  const [enable, disable] = [t.mock.method(monitor, 'enable'), t.mock.method(monitor, 'disable')]
  t.mock.method(perfHooks, 'monitorEventLoopDelay', () => monitor)
  const register = new Registry()
  const observer = prometheusObserver({ register })
  assert.throws(() => prometheusObserver({ register }))
  assert.deepEqual([enable.mock.callCount(), disable.mock.callCount()], [1, 0])
  observer.close()
  assert.deepEqual([enable.mock.callCount(), disable.mock.callCount()], [1, 1])
})

describe('the registry', () => {
  test('has a name of its kind and a help text for every metric', async (t) => {
    const { observer, register } = observed(t)
    observer.onFinish?.(recordOf())
    const lines = (await register.metrics()).split('\n')
    const types = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ').slice(2))
    assert.deepEqual(Object.fromEntries(types), {
      ai_proxy_exchanges_total: 'counter',
      ai_proxy_tokens_total: 'counter',
      ai_proxy_time_to_first_byte_seconds: 'histogram',
      ai_proxy_time_to_first_token_seconds: 'histogram',
      ai_proxy_output_tokens_per_second: 'histogram',
      ai_proxy_cache_requests_total: 'counter',
      ai_proxy_journal: 'gauge',
      ai_proxy_policy: 'gauge',
      ai_proxy_duration_seconds: 'histogram',
      ai_proxy_attempts_total: 'counter',
      ai_proxy_cost_total: 'counter',
      ai_proxy_request_bytes_total: 'counter',
      ai_proxy_upstream_bytes_total: 'counter',
      ai_proxy_downstream_bytes_total: 'counter',
      ai_proxy_limit_hits_total: 'counter',
      ai_proxy_turn_seconds: 'histogram',
      ai_proxy_active_exchanges: 'gauge',
      ai_proxy_streams: 'gauge',
      ai_proxy_waiting_for_drain: 'gauge',
      ai_proxy_waiting_for_turn: 'gauge',
      ai_proxy_target_in_flight: 'gauge',
      ai_proxy_target_cooling: 'gauge',
      ai_proxy_event_loop_delay_seconds: 'gauge',
    })
  })

  test('rejects a second observer, and keeps nothing of it', async (t) => {
    const { register } = observed(t)
    assert.throws(() => prometheusObserver({ register }), {
      message:
        'prometheusObserver: the registry already has a metric ai_proxy_exchanges_total. ' +
        'Give one observer to all middlewares, or set `prefix`',
    })
    const own = new Registry()
    new Counter({ name: 'ai_proxy_streams', help: "the app's own", registers: [own] })
    assert.throws(() => prometheusObserver({ register: own }), /already has a metric ai_proxy_streams/)
    assert.equal(own.getMetricsAsArray().length, 1)
  })

  test('with another prefix it accepts a second one', async (t) => {
    const { register } = observed(t)
    const { observer, samples } = observed(t, { register, prefix: 'internal_' })
    observer.onFinish?.(recordOf())
    assert.deepEqual(await samples('internal_request_bytes_total'), ['internal_request_bytes_total 100'])
    assert.deepEqual(await samples('ai_proxy_request_bytes_total'), ['ai_proxy_request_bytes_total 0'])
  })

  for (const contentType of [Registry.PROMETHEUS_CONTENT_TYPE, Registry.OPENMETRICS_CONTENT_TYPE] as const) {
    test(`close() restores it, so that it can be used again: ${contentType}`, async () => {
      const register = new Registry<typeof contentType>()
      register.setContentType(contentType)
      const app = new Counter({ name: 'app_total', help: "the app's own", registers: [register] })
      const observer = prometheusObserver({ register })
      observer.onFinish?.(recordOf())
      assert.match(await register.metrics(), /^ai_proxy_request_bytes_total 100$/m)
      observer.close()
      assert.deepEqual(register.getMetricsAsArray() as unknown[], [app])
      observer.close()
      prometheusObserver({ register }).close()
    })
  }

  test('close() keeps metrics that another has registered in its place', () => {
    const register = new Registry()
    const observer = prometheusObserver({ register })
    register.clear()
    const theirs = new Counter({ name: 'ai_proxy_streams', help: "the app's own", registers: [register] })
    observer.close()
    assert.equal(register.getSingleMetric('ai_proxy_streams'), theirs)
  })

  test('may come from another copy of prom-client', async (t) => {
    const require = createRequire(__filename)
    const loaded = Object.keys(require.cache).filter((path) => path.includes(join('node_modules', 'prom-client')))
    const kept = loaded.map((path) => [path, require.cache[path]] as const)
    for (const path of loaded) delete require.cache[path]
    const copy: typeof import('prom-client') = require('prom-client')
    for (const [path, module] of kept) require.cache[path] = module
    assert.notEqual(copy.Registry, Registry)
    const { observer, samples } = observed(t, { register: new copy.Registry() })
    observer.onFinish?.(recordOf())
    observer.onTurn?.(1)
    assert.deepEqual(await samples('ai_proxy_request_bytes_total'), ['ai_proxy_request_bytes_total 100'])
    assert.deepEqual((await samples('ai_proxy_turn_seconds')).slice(-1), ['ai_proxy_turn_seconds_count 1'])
  })
})

describe('the observer', () => {
  for (const [option, options, message] of [
    ['no options', undefined, 'prometheusObserver: options takes an object; got undefined'],
    ['register', {}, 'prometheusObserver: register takes a registry of prom-client; got undefined'],
    [
      'prefix',
      { prefix: '1-' },
      'prometheusObserver: prefix takes letters, digits, _ and :, no digit at the start; got',
    ],
    ['models', { models: 'gpt' }, "prometheusObserver: models takes a list of model names; got 'gpt'"],
    [
      'maxModels',
      { maxModels: -1 },
      'prometheusObserver: maxModels takes a number of at least 0, or false for no maximum; got -1',
    ],
    [
      'labels',
      { labels: ['model'] },
      'prometheusObserver: labels[0] takes a name that its metrics do not have already; ',
    ],
    [
      'target in labels',
      { labels: ['target'] },
      'prometheusObserver: labels[0] takes a name that its metrics do not have already; ',
    ],
    [
      'le in labels',
      { labels: ['le'] },
      'prometheusObserver: labels[0] takes a name that its metrics do not have already; ',
    ],
    [
      'a name of Prometheus’s own',
      { labels: ['__name'] },
      'prometheusObserver: labels takes names without __ at the start',
    ],
    [
      'maxLabelValues',
      { maxLabelValues: -1 },
      'prometheusObserver: maxLabelValues takes a number of at least 0, or false for no maximum; got -1',
    ],
    [
      'another',
      { registry: 1 },
      'prometheusObserver: there is no option registry. Did you mean register? prometheusObserver takes register, ',
    ],
  ] as const) {
    test(`rejects an invalid option: ${option}`, () => {
      const given = options && (option === 'register' ? options : { register: new Registry(), ...options })
      assert.throws(
        () => prometheusObserver(given as unknown as PrometheusObserverOptions),
        (error) => error instanceof TypeError && error.message.startsWith(message),
      )
    })
  }

  test('does not keep the process alive', () => {
    const script = `
      const { Registry } = require('prom-client')
      require('./lib/prometheus.ts').prometheusObserver({ register: new Registry() })
      process.on('exit', () => console.log('ended'))`
    const output = execFileSync(process.execPath, ['--import', 'tsx', '-e', script], { timeout: 30_000 })
    assert.equal(output.toString(), 'ended\n')
  })
})
