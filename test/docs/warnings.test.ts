import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { explanationOf, setupWarningCodes, warningCodes } from '../../lib/util/warn.js'

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

suite('the option `warnings`', () => {
  const page = (name: string) => readFileSync(path.join(root, 'docs', name), 'utf8')
  const codesIn = (text: string | undefined) => [...new Set(text?.match(/\bAI_PROXY_[A-Z_]+\b/g))].sort()
  const others = warningCodes.filter((code) => !(setupWarningCodes as readonly string[]).includes(code)).sort()

  test('docs/troubleshooting.md says which warnings it does not turn off', () => {
    const [paragraph] = /^\*\*About errors:\*\*.*$/m.exec(page('troubleshooting.md')) ?? []
    assert.deepEqual(codesIn(paragraph), others)
  })

  test('so does docs/options.md', () => {
    const [, section] = /^## warnings$(.*?)^```/ms.exec(page('options.md')) ?? []
    assert.deepEqual(codesIn(section), others)
  })
})
