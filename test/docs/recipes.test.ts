import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import express from 'express'
import type { AiProxy, AiProxyOptions, ExchangeRecord, HookedRequest } from 'express-ai-proxy'
import * as main from 'express-ai-proxy'
import { Registry } from 'prom-client'
import * as opentelemetry from '../../lib/metrics/opentelemetry-observer.js'
import { type PrometheusObserver, prometheusObserver } from '../../lib/metrics/prometheus-observer.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { type Page, pages, root } from './pages.js'

const setupWarnings = readFileSync(path.join(root, 'lib/handle/setup-warnings.ts'), 'utf8')
const folder = path.join(root, 'docs/recipes')

const blocks = pages
  .filter(({ file }) => file.startsWith('docs/recipes/'))
  .flatMap((page) => page.blocks.map((block) => ({ ...block, recipe: path.basename(page.file, '.md') })))

test('the signed recipe signs the host, the path and the body as they go out, and does not set the host', async () => {
  const signed: unknown[] = []
  class SignatureV4 {
    async sign(request: { headers: object }) {
      signed.push(request)
      return { headers: { ...request.headers, authorization: 'AWS4-HMAC-SHA256 …', 'x-amz-date': 'now' } }
    }
  }
  const { made } = await run(find('bedrock', 2), { '@smithy/signature-v4': { SignatureV4 } })
  const headers: Record<string, string> = {}
  const rawBody = Buffer.from('{}')
  const asked = { req: { method: 'POST' }, path: '/model/a%3A0/converse', rawBody, headers }
  await made[0]!.onRequest!(asked as unknown as HookedRequest)
  const host = 'bedrock-runtime.AWS_REGION.amazonaws.com'
  assert.deepEqual(signed, [
    { method: 'POST', protocol: 'https:', hostname: host, path: asked.path, headers: { host }, body: rawBody },
  ])
  assert.deepEqual(headers, { authorization: 'AWS4-HMAC-SHA256 …', 'x-amz-date': 'now' })
})

test('a budget that is spent is answered with 429, and each user has one', async () => {
  const [options] = (await run(find('budget-for-each-user'))).made
  const asks = (id: string) => options!.onRequest!({ req: { user: { id } } } as unknown as HookedRequest)
  const record = { tokens: { total: 200_000 } } as ExchangeRecord
  assert.equal(asks('ann'), undefined)
  options!.onFinish!(record, { user: { id: 'ann' } } as never, {} as never)
  assert.equal(((await asks('ann')) as { status: number }).status, 429)
  assert.equal(asks('bob'), undefined)
})

test('every metric that the dashboard asks for is exported, with the labels that it asks for', async () => {
  const dashboard = JSON.parse(readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8')) as Dashboard
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

test('every limit, and every warning of a wrong set-up, is explained', () => {
  const codes = setupWarnings.match(/\bAI_PROXY_[A-Z_]+(?=:)/g) ?? []
  assert.ok(codes.length >= 5)
  const { anchors } = page('docs/troubleshooting.md')
  for (const code of codes) assert.ok(anchors.has(code.toLowerCase()), code)
  const [, limits, advice] = page('docs/limits-and-errors.md').text.split(/^## (?:Limits|Which limit do I want\?)$/m)
  for (const limit of Object.keys(defaultLimits)) {
    assert.ok(limits!.includes(`| \`${limit}\` |`), limit)
    assert.ok(advice!.includes(`\`${limit}\``), limit)
  }
})

interface Dashboard {
  panels: { id: number; targets?: { expr: string }[] }[]
  templating: { list: { type: string; definition?: string }[] }
}

function page(file: string): Page {
  return pages.find((one) => one.file === file) ?? assert.fail(`no ${file}`)
}

function find(recipe: string, number = 1): string {
  return blocks.find((block) => block.recipe === recipe && block.number === number)!.code
}

/** Stands for whatever a recipe imports and we have not: it can be called, made and looked into. */
const anything: object = new Proxy(class {}, {
  get: (_, key) => (typeof key === 'symbol' || key === 'then' ? undefined : anything),
  apply: () => anything,
  construct: () => anything,
})

/** Runs a recipe with the real Express and the real proxy; it listens nowhere, and its variables hold their own names. */
async function run(code: string, others: Record<string, object> = {}) {
  const made: AiProxyOptions[] = []
  const closing: (() => unknown)[] = []
  let listening = 0
  const aiProxy = (options: AiProxyOptions): AiProxy => {
    made.push(options)
    const proxy = main.aiProxy(options)
    closing.push(() => proxy.close())
    return proxy
  }
  const makeApp = () => Object.assign(express(), { listen: () => ({ listening: ++listening, close() {} }) })
  const observe = (options: Parameters<typeof prometheusObserver>[0]): PrometheusObserver => {
    const observer = prometheusObserver(options)
    closing.push(() => observer.close())
    return observer
  }
  const modules: Record<string, object> = {
    'express-ai-proxy': { ...main, aiProxy },
    'express-ai-proxy/prometheus': { prometheusObserver: observe },
    'express-ai-proxy/opentelemetry': opentelemetry,
    express: { default: Object.assign(makeApp, express) },
    'prom-client': { default: { register: new Registry() } },
    ...others,
  }
  const load = (name: string) => modules[name] ?? anything
  const body = code
    .replace(/^import (\{.*?\}) from ('[^']+')/gm, 'const $1 = load($2)')
    .replace(/^import (\w+) from ('[^']+')/gm, 'const { default: $1 } = load($2)')
  const environment = new Proxy({}, { get: (_, name) => name })
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  const recipe = AsyncFunction('load', 'process', `'use strict'\n${body}`)
  try {
    await recipe(load, Object.assign(new EventEmitter(), { env: environment, exit() {} }))
  } finally {
    await Promise.all(closing.map((close) => close()))
  }
  return { made, listening }
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
  observer.onFinish?.({ ...record, ...times, ...bytes } as ExchangeRecord)
  const exported = new Map<string, Set<string>>()
  for (const [, name, labels = ''] of (await register.metrics()).matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const known = exported.get(name!) ?? new Set()
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!)
    exported.set(name!, known)
  }
  observer.close()
  return exported
}
