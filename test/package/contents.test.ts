import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { describe, test } from 'node:test'
import { manifest, pack, root } from './packed.js'

const packed = pack()
const read = (path: string) => readFileSync(join(packed.folder, path), 'utf8')

/** What TypeScript makes of lib/: the code of each file. */
const built = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.m?ts$/.test(path))
  .map((path) => `dist/${path.replaceAll('\\', '/').replace(/ts$/, 'js')}`)

const declarations = packed.files.filter((path) => /\.d\.m?ts$/.test(path))

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

/** The declarations of its own that a file of declarations imports. */
function declarationsIn(path: string): string[] {
  const imports = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g
  return [...read(path).matchAll(imports)].map(([, to]) =>
    posix.join(posix.dirname(path), to!.replace(/\.(m?)js$/, '.d.$1ts')),
  )
}

describe('the packed package', () => {
  test('has the built files of lib/, the documents, and nothing else', () => {
    const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']
    const files = packed.files.filter((path) => !declarations.includes(path))
    assert.deepEqual(files, [...documents, ...built].sort(), 'if dist/ is out of date: npm run build')
  })

  test('has the declarations that its entry points lead to, and no others', () => {
    const { exports, types } = manifest
    const entries = valuesIn([exports, types]).map((path) => path.replace('./', ''))
    const imported = new Set(declarations.flatMap(declarationsIn))
    assert.deepEqual(
      [...imported].filter((path) => !declarations.includes(path)),
      [],
      'are missing',
    )
    assert.deepEqual(
      declarations.filter((path) => !entries.includes(path) && !imported.has(path)),
      [],
      'are not imported',
    )
  })

  test('is small', () => {
    assert.ok(packed.size < 570_000, `${packed.size} bytes to download`)
    assert.ok(packed.unpackedSize < 2_000_000, `${packed.unpackedSize} bytes on disk`)
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
