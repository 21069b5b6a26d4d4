import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import type { AiProxyStats, ExchangeRecord } from '../../lib/index.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { root } from './pages.js'

test('every metric in the dashboard is exported, with the labels that it uses', async () => {
  const dashboard = JSON.parse(
    readFileSync(path.join(root, 'docs/recipes/grafana-dashboard.json'), 'utf8'),
  ) as Dashboard
  const { panels, templating } = dashboard
  assert.equal(templating.list[0]!.type, 'datasource')
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const exported = await exportedMetrics()
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  assert.ok(queries.length >= 8)
  for (const query of [...queries, ...templating.list.map(({ definition = '' }) => definition)]) {
    const names = query.match(/\bai_proxy_\w+/g) ?? []
    const known = names.flatMap((name) => [...(exported.get(name) ?? assert.fail(`no ${name}: ${query}`))])
    const asked = [
      ...[...query.matchAll(/(\w+)\s*=~?\s*"/g)].map(([, label]) => label!),
      ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(/,\s*/)),
      ...[...query.matchAll(/label_values\(.*, (\w+)\)$/g)].map(([, label]) => label!),
    ]
    // `job` comes from Prometheus itself.
    for (const label of asked) assert.ok(label === 'job' || known.includes(label), `${label} in ${query}`)
  }
  const isShown = (name: string) => queries.some((query) => query.includes(name.replace(/_(?:sum|count)$/, '_bucket')))
  assert.ok([...exported.keys()].every(isShown), 'a metric is in no panel')
})

interface Dashboard {
  panels: { id: number; targets?: { expr: string }[] }[]
  templating: { list: { type: string; definition?: string }[] }
}

/** The names that Prometheus gets to see, and the labels of each. */
async function exportedMetrics(): Promise<Map<string, Set<string>>> {
  const register = new Registry()
  const observer = prometheusObserver({ register })
  const usage = { inputTokens: 1, outputTokens: 1, estimated: false }
  const times = { durationMs: 1, firstByteMs: 1, firstTokenMs: 1, outputTokensPerSecond: 1 }
  const bytes = { requestBytes: 1, upstreamBytes: 1, downstreamBytes: 1 }
  observer.onTurn?.(1)
  const tokens = { uncachedInput: 1, cachedInput: 0, cacheWrite: 0, visibleOutput: 1, reasoning: 0, total: 2 }
  const record = { format: 'openai-chat', model: 'm', outcome: 'completed', limit: 'maxEventBytes', usage, tokens }
  const attempts = [{ target: 'a', status: 200 }]
  const targets = [{ name: 'a', inFlight: 1 }]
  observer.onProxy?.({ stats: () => ({ targets, policies: [] }) as unknown as AiProxyStats })
  observer.onFinish?.({ ...record, ...times, ...bytes, attempts } as unknown as ExchangeRecord)
  const exported = new Map<string, Set<string>>()
  for (const [, name, labels = ''] of (await register.metrics()).matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const known = exported.get(name!) ?? new Set()
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!)
    exported.set(name!, known)
  }
  observer.close()
  return exported
}
