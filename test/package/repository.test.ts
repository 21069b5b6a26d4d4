import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { manifest, root } from './packed.js'
import { filesBelow } from './project-files.js'

const home = manifest.repository.url.replace(/^git\+|\.git$/g, '')
const [owner, name] = home.replace('https://github.com/', '').split('/') as [string, string]

/** What names the repository of a package of this name: `github.com/OWNER/NAME`, or `'OWNER/NAME'` in a workflow. */
const mentions = new RegExp(`(?:github\\.com/|')([\\w-]+)/${name}(?![\\w-])`, 'g')

describe("the repository's address is the one in package.json", () => {
  test('the homepage and the issues are in that repository', () => {
    assert.match(home, /^https:\/\/github\.com\/[\w-]+\/[\w-]+$/)
    assert.equal(manifest.homepage, `${home}#readme`)
    assert.equal(manifest.bugs, `${home}/issues`)
  })

  test(`no file of the project mentions the repository under an owner other than ${owner}`, () => {
    let count = 0
    const others = filesBelow()
      .filter((path) => /\.(md|m?ts|m?js|json|ya?ml|html|txt)$/.test(path) && path !== 'package-lock.json')
      .flatMap((path) =>
        [...readFileSync(join(root, path), 'utf8').matchAll(mentions)].map(([text, found]) => {
          count++
          return found === owner ? '' : `${path}: ${text}`
        }),
      )
    assert.ok(count > 5, 'finds the links that there are')
    assert.deepEqual(others.filter(Boolean), [])
  })
})
