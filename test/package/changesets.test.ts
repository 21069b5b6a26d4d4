import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { manifest, root } from './packed.js'
import { filesBelow } from './project-files.js'

/** What a changeset says: how far it moves which package's version, and why. */
function parseChangeset(text: string) {
  const [, head, summary] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? []
  return { bumps: head === undefined ? {} : (parse(head) as Record<string, string>), summary: summary?.trim() ?? '' }
}

/** Fails on a changeset that would stop a release. */
function assertChangeset(text: string): void {
  const { bumps, summary } = parseChangeset(text)
  assert.deepEqual(Object.keys(bumps), [manifest.name])
  assert.match(bumps[manifest.name]!, /^(patch|minor|major)$/)
  assert.notEqual(summary, '')
}

describe('changesets', () => {
  const guide = readFileSync(join(root, '.changeset/README.md'), 'utf8')

  test('each names the package and the kind of release, like the example', () => {
    assertChangeset(/```md\n(.*?)```/s.exec(guide)![1]!)
    for (const path of filesBelow('.changeset').filter((path) => path.endsWith('.md') && !path.endsWith('README.md'))) {
      assert.doesNotThrow(() => assertChangeset(readFileSync(join(root, path), 'utf8')), path)
    }
  })

  test('do not exist as long as the first version is unreleased, which the changelog describes as a whole', () => {
    const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    if (!changelog.includes('## 0.1.0 (unreleased)')) return
    assert.deepEqual(
      filesBelow('.changeset').filter((path) => path.endsWith('.md') && !path.endsWith('README.md')),
      [],
    )
  })

  test('an invalid one is detected', () => {
    for (const wrong of ['', '---\n"express-ai-proxy": small\n---\nx', '---\n"other": patch\n---\nx']) {
      assert.throws(() => assertChangeset(wrong))
    }
    assert.throws(() => assertChangeset('---\n"express-ai-proxy": patch\n---\n'))
  })

  test('find the package, which they would not with an array of workspaces', () => {
    assert.ok(!Array.isArray(manifest.workspaces))
  })

  test('write sections of the changelog, whose first is that of the version in package.json', () => {
    const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    const [, version] = /^# Changelog\n\n## (\S+)( \(unreleased\))?\n/.exec(changelog) ?? []
    assert.equal(version, manifest.version)
  })
})
