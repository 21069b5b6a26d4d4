import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { pages, root } from './pages.js'

const { files, repository } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const home: string = repository.url.replace(/^git\+|\.git$/g, '')

/** What npm shows: a relative link there leads to a file of the package, or nowhere. */
const inPackage = ['README.md', 'CHANGELOG.md', 'SECURITY.md']

for (const { file, anchors, links } of pages) {
  describe(`links of ${file}`, () => {
    for (const link of new Set(links)) test(link, () => follow(link, file, anchors))
  })
}

test('the README links every page of docs/ that it does not reach through another one', () => {
  const linked = new Set<string>()
  const reach = (file: string) => {
    if (linked.has(file)) return
    linked.add(file)
    for (const link of pages.find((page) => page.file === file)?.links ?? []) {
      const [address = ''] = link.split('#')
      const at = inRepository(address) ?? (isRelative(address) ? path.join(path.dirname(file), address) : undefined)
      if (at?.endsWith('.md')) reach(at)
    }
  }
  reach('README.md')
  assert.deepEqual(
    pages.map(({ file }) => file).filter((file) => file.startsWith('docs/') && !linked.has(file)),
    [],
  )
})

function follow(link: string, from: string, anchors: ReadonlySet<string>): void {
  const [address = '', anchor] = link.split('#')
  if (address === '') return assertAnchor(anchor!, from, anchors)
  const ours = inRepository(address)
  if (ours !== undefined) return assertThere(ours, anchor)
  if (isRelative(address)) {
    const file = path.join(path.dirname(from), decodeURI(address))
    if (inPackage.includes(from)) {
      assert.ok(files.includes(file) || ['README.md', 'LICENSE'].includes(file), `${file} is not in the package`)
    }
    return assertThere(file, anchor)
  }
  const url = new URL(link)
  assert.equal(url.protocol, 'https:', `${link} is neither https: nor a file`)
  assert.match(url.hostname, /^[\w-]+(\.[\w-]+)+$/)
}

/** The path of a file, if an address leads to one in this repository. */
function inRepository(address: string): string | undefined {
  if (!address.startsWith(`${home}/`)) return undefined
  const [, file] = /^\/(?:blob|raw|tree)\/main\/(.+)$/.exec(address.slice(home.length)) ?? []
  return file
}

function isRelative(address: string): boolean {
  return !/^[a-z][\w+.-]*:/i.test(address)
}

function assertThere(file: string, anchor: string | undefined): void {
  assert.ok(existsSync(path.join(root, file)), `there is no ${file}`)
  if (anchor === undefined) return
  assert.ok(statSync(path.join(root, file)).isFile() && file.endsWith('.md'), `${file} has no headings`)
  assertAnchor(anchor, file, pages.find((page) => page.file === file)?.anchors ?? new Set())
}

function assertAnchor(anchor: string, file: string, anchors: ReadonlySet<string>): void {
  assert.ok(anchors.has(anchor), `there is no heading for #${anchor} in ${file}`)
}
