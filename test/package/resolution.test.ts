import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { pack } from './packed.js'

const { tarball, folder } = pack()

describe('tools and compilers', () => {
  test('publint reports nothing, suggestions included', async () => {
    const { publint } = await import('publint')
    const { messages } = await publint({ pkgDir: folder, pack: false, level: 'suggestion', strict: true })
    assert.deepEqual(messages, [])
  })

  test('attw finds matching types in every kind of module resolution', async () => {
    const { checkPackage, createPackageFromTarballData } = await import('@arethetypeswrong/core')
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
    assert.ok(result.types)
    const entries = [
      '',
      '/prometheus',
      '/opentelemetry',
      '/prices',
      '/quota',
      '/queue',
      '/journal',
      '/client',
      '/package.json',
    ]
    assert.deepEqual(
      Object.keys(result.entrypoints),
      entries.map((name) => `.${name}`),
    )
    assert.deepEqual(result.problems, [])
  })
})
