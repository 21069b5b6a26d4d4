import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beginningOf } from '../../lib/util/beginning-of.js'

const MEBIBYTE = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

describe('beginningOf', () => {
  for (const [text, max, expected] of [
    ['gpt-5', 256, 'gpt-5'],
    ['', 3, ''],
    ['abcdef', 3, 'abc'],
    ['Größe 🙂 und mehr als zwölf', 20, 'Größe 🙂 und mehr al'],
    // Half a character stays half of one.
    ['0123456789abc🙂', 14, '0123456789abc\ud83d'],
  ] as const) {
    test(`of ${JSON.stringify(text)}, ${max} characters`, () => assert.equal(beginningOf(text, max), expected))
  }

  test('does not keep the whole text', () => {
    const kept: string[] = []
    collect()
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < 20; at++) {
      const text: string = JSON.parse(JSON.stringify(`${at} `.repeat(MEBIBYTE)))
      kept.push(beginningOf(text, 256))
    }
    collect()
    // Slices would keep 40 MiB.
    assert.ok(process.memoryUsage().heapUsed - before < 10 * MEBIBYTE)
    assert.equal(kept.length, 20)
  })
})
