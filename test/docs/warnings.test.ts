import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { explanationOf, warningCodes } from '../../lib/util/warn.js'

const root = path.join(__dirname, '../..')
const { homepage, repository } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))

suite('the address in a warning', () => {
  for (const code of warningCodes) {
    test(`${code} leads to its heading in the docs`, () => {
      const [page = '', anchor] = explanationOf(code).split('#')
      const base = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/`
      assert.ok(page.startsWith(base), page)
      assert.ok(homepage.startsWith(base.slice(0, -'/blob/main/'.length)), 'homepage and repository are one place')
      const text = readFileSync(path.join(root, page.slice(base.length)), 'utf8')
      const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!.toLowerCase())
      assert.ok(anchors.includes(anchor!), `no heading for ${anchor}`)
    })
  }
})
