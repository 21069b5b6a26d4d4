/** What a screen reader is told of an answer, and what that costs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

interface Announcer {
  begin(): void
  add(piece: string): void
  end(): void
}

/** An announcer for a region that keeps what it is told. */
async function announcerInto(said: string[]): Promise<Announcer> {
  const file = '../../example-app/pages/chat/announcer.mjs'
  const { Announcer } = (await import(file)) as { Announcer: new (region: object) => Announcer }
  Object.assign(globalThis, { document: { createElement: () => ({ textContent: '' }) } })
  const announcer = new Announcer({
    append: ({ textContent }: { textContent: string }) => said.push(textContent),
    replaceChildren() {},
  })
  announcer.begin()
  return announcer
}

const text = 'One sentence. Another! A third?\n\nA paragraph without an end\n\nand `code`. The rest'
const sentences = 'One sentence. Another! A third? A paragraph without an end and code . The rest'

for (let size = 1; size <= text.length; size++) {
  test(`sentences are whole, in pieces of ${size}`, async () => {
    const said: string[] = []
    const announcer = await announcerInto(said)
    for (let at = 0; at < text.length; at += size) announcer.add(text.slice(at, at + size))
    announcer.end()
    assert.equal(said.join(' ').replace(/\s+/g, ' '), sentences)
    for (const one of said.slice(0, -1)) assert.match(one, /[.!?]$|without an end$/)
  })
}

test('a piece is read once, however long the text before it has no end', async (t) => {
  const said: string[] = []
  const announcer = await announcerInto(said)
  const { lastIndexOf } = String.prototype
  let read = 0
  t.mock.method(String.prototype, 'lastIndexOf', function (this: string, mark: string) {
    read += this.length
    return lastIndexOf.call(this, mark)
  })
  const pieces = 10_000
  for (let n = 0; n < pieces; n++) announcer.add('const a = 1\n')
  announcer.end()
  assert.equal(said.length, 1)
  assert.ok(read < pieces * 12 * 10, `${read} characters`)
})
