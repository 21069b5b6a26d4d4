import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { manifest, pack, root } from './packed.js'

const packed = pack()
const read = (path: string) => readFileSync(join(packed.folder, path), 'utf8')

/** What TypeScript makes of lib/: the code and the types of each file. */
const built = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.m?ts$/.test(path))
  .flatMap((path) => [path.replace(/ts$/, 'js'), path.replace(/(m?)ts$/, 'd.$1ts')])
  .map((path) => `dist/${path.replaceAll('\\', '/')}`)

/** All values of a field such as `exports`, whatever conditions lead to them. */
function valuesIn(field: unknown): string[] {
  return typeof field === 'string' ? [field] : Object.values(field as object).flatMap(valuesIn)
}

/** The packages that a file imports: no files of its own, and nothing of Node's. */
function packagesIn(path: string): string[] {
  const code = read(path)
  const imports = /(?:\bfrom|\bimport|\brequire\(|\bimport\() ?['"]([^'".][^'"]*)['"]/g
  return [...code.matchAll(imports)]
    .map(([, name]) => name!)
    .filter((name) => !isBuiltin(name))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0])
}

describe('the packed package', () => {
  test('has the built files of lib/, the documents, and nothing else', () => {
    const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']
    assert.deepEqual(packed.files, [...documents, ...built].sort(), 'if dist/ is out of date: npm run build')
  })

  test('is small', () => {
    assert.ok(packed.size < 600_000, `${packed.size} bytes to download`)
    assert.ok(packed.unpackedSize < 2_200_000, `${packed.unpackedSize} bytes on disk`)
  })

  test('has each file that package.json names', () => {
    const { main, types, exports, typesVersions } = manifest
    const named = [main, types, ...valuesIn(exports), ...valuesIn(typesVersions)].map((path) => path.replace('./', ''))
    assert.ok(named.length > 12)
    assert.deepEqual(
      named.filter((path) => !packed.files.includes(path)),
      [],
    )
  })

  test('refers to no source map, because it contains no sources', () => {
    assert.deepEqual(
      packed.files.filter((path) => /\.(m?js|d\.m?ts)$/.test(path) && read(path).includes('sourceMappingURL')),
      [],
    )
  })

  test('has types that TypeScript 5.6 and earlier can read, to which Buffer is not generic', () => {
    assert.deepEqual(
      packed.files.filter((path) => /\.d\.m?ts$/.test(path) && /\bBuffer</.test(read(path))),
      [],
    )
  })

  test('imports only the dependencies and peers that package.json declares', () => {
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
    const imported = new Set(built.flatMap(packagesIn))
    for (const name of Object.keys(manifest.dependencies)) assert.ok(imported.has(name), `${name} is not used`)
    assert.deepEqual(
      [...imported].filter((name) => !Object.hasOwn(declared, name)),
      [],
    )
  })
})
