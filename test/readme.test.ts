import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'

const root = path.join(__dirname, '..')
const { files, repository } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const home = repository.url.replace(/^git\+|\.git$/g, '')

describe('links lead somewhere, in the package as well as in the repository', () => {
  for (const name of ['README.md', 'CHANGELOG.md', 'SECURITY.md']) {
    const text = readFileSync(path.join(root, name), 'utf8')
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      test(`${name}: ${link}`, () => {
        const [file, anchor] = link!.split('#') as [string, string | undefined]
        const ours = file.startsWith(`${home}/blob/main/`) && file.slice(`${home}/blob/main/`.length)
        if (ours) assert.ok(existsSync(path.join(root, ours)), `there is no ${ours}`)
        else if (file === '') assert.ok(anchors.includes(anchor!), `there is no heading for #${anchor}`)
        else if (!file.startsWith('https:')) {
          assert.ok(files.includes(file) || ['README.md', 'LICENSE'].includes(file), `${file} is not in the package`)
        }
      })
    }
  }
})
