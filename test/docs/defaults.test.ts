import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { builtInFormats } from '../../lib/formats/index.js'
import { defaults } from '../../lib/options/defaults.js'

const page = (name: string) => readFileSync(path.join(__dirname, '../../docs', name), 'utf8')

/** A value as the docs write it. */
function written(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'number') return value.toLocaleString('en').replaceAll(',', '_')
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  const members = Object.entries(value as object).map(([name, member]) => `${name}: ${written(member)}`)
  return `{ ${members.join(', ')} }`
}

describe('the defaults in the docs are those of the package', () => {
  const options = page('options.md')
  const { limits, proxy, close, stickyOptions, resumeOptions, cacheOptions, ...others } = defaults
  for (const [name, value] of Object.entries(others)) {
    test(name, () => {
      const [, said] = new RegExp(`^## ${name}\\n[^#]*?\\*\\*Default:\\*\\* \`(.*)\`$`, 'm').exec(options) ?? []
      assert.equal(said, written(value))
    })
  }

  for (const [name, value] of Object.entries(proxy)) {
    test(`proxy.${name}`, () => {
      const [, said] = new RegExp(`^\\| \`${name}\` \\| [^|]+ \\| ([^|]+) \\|`, 'm').exec(options) ?? []
      assert.equal(said, `\`${value}\``)
    })
  }

  test('sticky.ttlMs', () => assert.ok(options.includes(`\`ttlMs\` (${stickyOptions.ttlMs.toLocaleString('en')})`)))

  for (const [name, value] of Object.entries({ ...resumeOptions, ...cacheOptions })) {
    test(`the default of ${name}`, () => {
      const inTable = new RegExp(`^\\| \`${name}\` \\| [^|]+ \\| ([^|]+) \\|`, 'm')
      const pages = [page('resume.md'), page('cache.md')].map((text) => inTable.exec(text)?.[1])
      const size = name === 'maxBytes' ? '1 MiB' : undefined
      const plain = typeof value === 'number' ? value.toLocaleString('en') : `\`${written(value)}\``
      for (const said of pages) if (said !== undefined) assert.equal(said, size ?? plain)
      assert.ok(pages.some((said) => said !== undefined))
    })
  }

  test('the fields that the cache ignores', () => {
    for (const field of builtInFormats.flatMap(({ fieldsWithoutEffect }) => fieldsWithoutEffect))
      assert.match(page('cache.md'), new RegExp(`Some fields do not count\\..*\`${field}\``))
  })

  test('close.graceMs', () => assert.ok(options.includes(`(${close.graceMs.toLocaleString('en')})`)))

  const table = page('limits-and-errors.md')
  const MIB = 1024 * 1024
  for (const [name, value] of Object.entries(limits)) {
    // These follow from another limit, and from the process.
    if (name === 'uploadIdleTimeoutMs' || name === 'maxConcurrentExchanges') continue
    test(`limits.${name}`, () => {
      const inTable = new RegExp(`^\\| \`${name}\` \\| ([^|]+) \\|`, 'm').exec(table)?.[1]
      const inProse = new RegExp(`\`${name}\` \\(([\\d,]+)\\)`).exec(table)?.[1]
      const size = name.endsWith('Bytes') && value !== false && `${value / MIB} MiB`
      assert.equal(inTable ?? inProse, size || (value === false ? '`false`' : value.toLocaleString('en')))
    })
  }
})
