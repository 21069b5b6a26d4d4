import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { AiProxyError, type FailureCode } from '../../lib/api/errors.js'
import type { PolicyExchange } from '../../lib/api/policy.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { resolveQueueOptions } from '../../lib/queue/options.js'
import { inputBySize } from '../../lib/quota/estimates.js'
import { MemoryStore } from '../../lib/quota/memory-store.js'
import { resolveQuotaOptions } from '../../lib/quota/options.js'
import { type Page, pages, root } from './pages.js'

const page = (file: string): Page => pages.find((one) => one.file === file) ?? assert.fail(`no ${file}`)
const api = page('docs/api.md').text
const options = page('docs/options.md')

/** The properties that the generated reference has for a type. */
function propertiesOf(type: string): string[] {
  const [, section = ''] = new RegExp(`^### ${type}(?:\\\\?<.*)?$(.*?)(?=^### )`, 'ms').exec(api) ?? []
  const names = [...section.matchAll(/^\| <a id="property-[^"]*"><\/a> `(\w+)\??`/gm)].map(([, name]) => name!)
  assert.ok(names.length > 0, `the reference has no properties of ${type}`)
  return names
}

describe('docs/options.md has every option', () => {
  for (const option of propertiesOf('AiProxyOptions')) {
    test(option, () => {
      const [, section = ''] = new RegExp(`^## ${option}$(.*?)(?=^## |(?![^]))`, 'ms').exec(options.text) ?? []
      assert.match(section, /^\*\*Type:\*\* \S/m)
      assert.match(section, /^\*\*Default:\*\* \S/m)
      assert.match(section, /^```(?:ts|js)\n/m, 'an example')
      assert.ok(section.includes(`${option}: `) || section.includes(`${option}(`), 'an example that sets it')
      assert.ok(page('README.md').text.includes(`[\`${option}\`](`), 'a place in the README')
    })
  }
})

test('docs/options.md has every option of http-proxy-middleware that can be set', () => {
  for (const name of propertiesOf('ProxyOptions')) assert.ok(options.text.includes(`| \`${name}\` | `), name)
})

describe('docs/limits-and-errors.md has every limit', () => {
  const { text } = page('docs/limits-and-errors.md')
  const [, table = '', advice = ''] = text.split(/^## (?:Limits|Which limit do I want\?)$/m)
  for (const [limit, value] of Object.entries(defaultLimits)) {
    test(limit, () => {
      const [, shown] = new RegExp(`^\\| \`${limit}\` \\| (.*?) \\|`, 'm').exec(table) ?? []
      assert.ok(shown?.startsWith(shownDefault(limit, value)), `the table says ${shown}, and the default is ${value}`)
      assert.ok(advice.includes(`\`${limit}\``), 'when to set it')
    })
  }
})

describe('the tables of options of the policies are complete, and have the defaults', () => {
  /** What is no value of its own, as the table says it. */
  const inWords: Record<string, string> = {
    limits: 'required',
    store: '`memoryStore()`',
    countInput: 'bytes / 4',
    assumedOutput: 'by experience',
    maxConcurrent: 'no limit of its own',
    key: '`tenant`, or else `id`',
    weight: '`1`',
  }
  const written = (value: unknown, inCode: boolean) => {
    if (value === undefined) return 'none'
    if (typeof value === 'string') return `\`'${value}'\``
    if (typeof value === 'boolean') return `\`${value}\``
    return inCode
      ? `\`${Number(value).toLocaleString('en').replaceAll(',', '_')}\``
      : Number(value).toLocaleString('en')
  }
  for (const [file, type, defaults] of [
    ['docs/quotas.md', 'QuotaOptions', resolveQuotaOptions({ limits: [] })],
    ['docs/queue.md', 'QueueOptions', resolveQueueOptions()],
  ] as const) {
    const [, table = ''] = /^\| option \|.*?\n(.*?)^$/ms.exec(page(file).text) ?? []
    const rows = [...table.matchAll(/^\| `(\w+)` \| [^|]+ \| ([^|]+) \|/gm)].map(
      ([, option, said]) => [option!, said!] as const,
    )

    test(`${file} has every option, and no other`, () => {
      assert.deepEqual(rows.map(([option]) => option).sort(), propertiesOf(type).sort())
    })

    for (const [option, said] of rows) {
      test(`${file} has the default of ${option}`, () => {
        assert.equal(said, inWords[option] ?? written(defaults[option as never], file === 'docs/queue.md'))
      })
    }
  }

  test('those that are written in words', () => {
    const { store, countInput, assumedOutput } = resolveQuotaOptions({ limits: [] })
    assert.deepEqual([store instanceof MemoryStore, countInput, assumedOutput], [true, undefined, undefined])
    const { maxConcurrent, key, weight } = resolveQueueOptions()
    const asking = {} as PolicyExchange
    assert.equal(maxConcurrent, Number.POSITIVE_INFINITY)
    const tenants = [key({ id: 'i', tenant: 't' }, asking), key({ id: 'i' }, asking)]
    assert.deepEqual([...tenants, weight('t', asking)], ['t', 'i', 1])
    assert.equal(inputBySize({ requestBytes: 400 }), 100)
  })
})

/** A default as the table writes it. */
function shownDefault(limit: string, value: number): string {
  if (limit === 'uploadIdleTimeoutMs') return 'as `idleTimeoutMs`'
  if (limit === 'maxConcurrentExchanges') return '1,000'
  if (value === Number.POSITIVE_INFINITY) return '`false`'
  return limit.endsWith('Bytes') ? `${value / 1024 / 1024} MiB` : value.toLocaleString('en')
}

test('docs/limits-and-errors.md has every code', () => {
  const [, union = ''] = /^### FailureCode$(.*?)(?=^### )/ms.exec(api) ?? []
  const codes = [...union.matchAll(/`"(\w+)"`/g)].map(([, code]) => code!)
  assert.ok(codes.length > 25, `${codes.length} codes`)
  const { text } = page('docs/limits-and-errors.md')
  const [, table = ''] = text.split(/^### Codes$/m)
  const [, final = ''] = /^\*\*Retries\.\*\* (.*?)^$/ms.exec(text) ?? []
  for (const code of codes as FailureCode[]) {
    assert.match(text, new RegExp(`^\\|.*\`${code}\``, 'm'), code)
    const { headers, status } = new AiProxyError(code, '')
    assert.equal(
      final.includes(`\`${code}\``),
      'x-should-retry' in headers,
      `${code} among those that are not to be retried`,
    )
    const [, said] = new RegExp(`^\\| [^|]*\`${code}\`[^|]* \\| (.*?) \\|`, 'm').exec(table) ?? []
    if (said === undefined || said === 'as thrown') continue
    assert.ok(said.startsWith(String(status)), `${code}: ${said}`)
    if ('retry-after' in headers) assert.ok(said.includes('`retry-after`'), `${code}: ${said}`)
  }
})

test('the lists of an exchange’s fields are complete', () => {
  const [, ofHooks = ''] = page('docs/hooks.md').text.split(/^\| `exchange\.` .*$/m)
  for (const field of propertiesOf('HookedExchange'))
    assert.match(ofHooks.split('\n\n')[0]!, new RegExp(`^\\| [^|]*\`${field}\``, 'm'), field)
  const [row = ''] = /^\| `exchanges\(\)` .*$/m.exec(options.text) ?? []
  for (const field of propertiesOf('ExchangeSnapshot')) assert.ok(row.includes(`\`${field}\``), field)
})

test('docs/records.md has every field and every outcome', () => {
  const { text } = page('docs/records.md')
  for (const field of propertiesOf('ExchangeRecord')) assert.match(text, new RegExp(`^\\|.*\`${field}\``, 'm'), field)
  for (const part of propertiesOf('Tokens')) assert.match(text, new RegExp(`^\\|.*\`${part}\``, 'm'), part)
})

describe('pages that list what your own code can do name every hook', () => {
  const hooks = propertiesOf('AiProxyOptions').filter((name) => /^on(?:Request|Response|Answer|Event)$/.test(name))
  for (const file of ['docs/how-a-stream-passes.md', 'docs/recipes/from-http-proxy-middleware.md', 'CHANGELOG.md']) {
    test(file, () => {
      assert.equal(hooks.length, 4)
      for (const hook of [...hooks, 'errors']) assert.match(page(file).text, new RegExp(`\`${hook}\\b`), hook)
    })
  }
})

test('docs/comparison.md gives the range of the estimates that docs/formats.md lists', () => {
  const [, table = ''] = /^\| stream \| billed (.*?)^$/ms.exec(page('docs/formats.md').text) ?? []
  const errors = [...table.matchAll(/\| ([+−]?)(\d+) % (?=\|)/g)].map(([, sign, figure]) =>
    Number(`${sign === '−' ? '-' : ''}${figure}`),
  )
  assert.equal(errors.length, 12)
  const shown = (figure: number) => `${figure < 0 ? '−' : '+'}${Math.abs(figure)} %`
  const range = `(${shown(Math.min(...errors))} to ${shown(Math.max(...errors))} on our recordings)`
  assert.ok(page('docs/comparison.md').text.includes(range), range)
})

test('docs/options.md has every member of the middleware', () => {
  const [, section = ''] = /^### AiProxy\(\)$(.*?)(?=^### )/ms.exec(api) ?? []
  const members = [...section.matchAll(/^#{4,5} (\\?\[?[\w.\\]+\]?)\(\)$/gm)].map(([, name]) =>
    name!.replaceAll('\\', ''),
  )
  assert.ok(members.includes('close') && members.includes('[asyncDispose]'), members.join())
  const [, table = ''] = /^## Members of the middleware$(.*?)^```/ms.exec(options.text) ?? []
  for (const member of members) {
    const shown = member === '[asyncDispose]' ? '[Symbol.asyncDispose]' : member
    assert.ok(table.includes(`| \`${shown}(`), shown)
  }
  for (const property of propertiesOf('AiProxy\\(\\)')) assert.ok(table.includes(`| \`${property}.`), property)
})

test('docs/troubleshooting.md explains every warning', () => {
  const { anchors } = page('docs/troubleshooting.md')
  const source = ['handle/setup-warnings.ts', 'scheduling/turns.ts', 'framing/aws-codec.ts', 'options/hook-errors.ts']
    .map((file) => readFileSync(path.join(root, 'lib', file), 'utf8'))
    .join()
  const codes = new Set(source.match(/\bAI_PROXY_[A-Z_]+\b/g))
  assert.ok(codes.size >= 9, [...codes].join())
  for (const code of codes) assert.ok(anchors.has(code.toLowerCase()), code)
})

test('the README has at most 180 lines', () => {
  assert.ok(page('README.md').text.trimEnd().split('\n').length <= 180)
})
