import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { debug } from '../../lib/util/debug.js'
import { manifest } from '../package/packed.js'
import { filesBelow } from '../package/project-files.js'
import { pages, root } from './pages.js'

/** Where people read names of the project: the documentation, the forms on GitHub, and the workflows. */
const texts = [
  ...pages.map(({ file, text }) => ({ file, text })),
  ...['.github', '.changeset']
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => /\.(?:md|yml)$/.test(file))
    .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') })),
]

/** All matches of a pattern's first group, each with its file. */
function named(pattern: RegExp): { file: string; name: string }[] {
  return texts.flatMap(({ file, text }) => [...text.matchAll(pattern)].map(([, name]) => ({ file, name: name! })))
}

describe('every name that people read exists', () => {
  test('scripts of package.json', () => {
    const scripts = named(/\bnpm run (?:-\S+ )*([a-z][\w:-]*)/g)
    assert.ok(scripts.length > 10)
    const wrong = scripts.filter(({ name }) => !Object.hasOwn(manifest.scripts, name))
    assert.deepEqual(wrong, [])
  })

  test('files and folders of the repository', () => {
    const paths = named(/`((?:lib|test|bench|docs|example-app|\.ci|\.changeset|\.github)\/[\w./*-]*)/g)
    assert.ok(paths.length > 20)
    assert.deepEqual(
      paths.filter(({ name }) => !isThere(name)),
      [],
    )
  })

  test('debug logs', () => {
    const logs = named(/\bDEBUG=([^\s`'",]+)/g)
    assert.ok(logs.length > 4)
    const known = ['ai-proxy:*', ...Object.keys(debug).map((name) => `ai-proxy:${name}`)]
    assert.deepEqual(
      logs.filter(({ name }) => !known.includes(name)),
      [],
    )
  })

  test('hooks and callbacks', () => {
    const api = pages.find(({ file }) => file === 'docs/api.md')!.text
    const known = new Set([...api.matchAll(/^(?:#+ |\| <a id="[^"]*"><\/a> `)(on[A-Z]\w*)/gm)].map(([, name]) => name))
    assert.ok(known.has('onFinish') && known.has('onTurn'), [...known].join())
    // These belong to other packages and to examples.
    const foreign = ['onMessage', 'onText', 'onProxyReq', 'onProxyRes']
    // A method, not a hook: the reference has it with its parentheses.
    foreign.push('onCapacity')
    const hooks = named(/`(on[A-Z]\w*)/g)
    assert.ok(hooks.length > 60)
    assert.deepEqual(
      hooks.filter(({ name }) => !known.has(name) && !foreign.includes(name)),
      [],
    )
  })
})

/** Returns whether a path exists; `*` in its last part stands for any characters. */
function isThere(name: string): boolean {
  const file = path.basename(name)
  if (!file.includes('*')) return existsSync(path.join(root, name))
  const parts = file.split('*').map((part) => part.replaceAll('.', '\\.'))
  const pattern = new RegExp(`^${parts.join('.*')}$`)
  return readdirSync(path.join(root, path.dirname(name))).some((one) => pattern.test(one))
}
