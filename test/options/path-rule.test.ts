import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compilePathRule, matchesGlob } from '../../lib/options/path-rule.js'

/** A text that counts the characters that are looked at, as far as the searches of a text can tell. */
class CountedText {
  looked = 0
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  get length() {
    return this.#text.length
  }
  startsWith(piece: string) {
    this.looked += piece.length
    return this.#text.startsWith(piece)
  }
  endsWith(piece: string) {
    this.looked += piece.length
    return this.#text.endsWith(piece)
  }
  indexOf(piece: string, from = 0) {
    const found = this.#text.indexOf(piece, from)
    this.looked += (found === -1 ? this.#text.length : found + piece.length) - from
    return found
  }
}

describe('a segment with wildcards', () => {
  for (const [glob, text, matches] of [
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a', '', false],
    ['*', 'a', true],
    ['*', '', false],
    ['a*', 'a', false],
    ['a*', 'ab', true],
    ['*b', 'b', false],
    ['*b', 'ab', true],
    ['a*b', 'ab', false],
    ['a*b', 'axb', true],
    ['*-*', '-', false],
    ['*-*', 'a-', false],
    ['*-*', 'a-b', true],
    ['*-*', '---', true],
    ['*-*-*', '-----', true],
    ['*-*-*', '----', false],
    ['*ab*ab', 'xabab', false],
    ['*ab*ab', 'xabxab', true],
    ['*a*a*', 'xaaax', true],
  ] as const) {
    test(`${glob}: ${text}: ${matches}`, () => assert.equal(matchesGlob(glob.split('*'), text), matches))
  }

  test('matches like the corresponding RegExp', () => {
    const short = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 7 })
    const glob = fc.string({ unit: fc.constantFrom('a', '-', '*'), minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(glob, short, (rule, text) => {
        const expected = new RegExp(`^${rule.replaceAll('*', '.+')}$`).test(text)
        assert.equal(matchesGlob(rule.split('*'), text), expected)
      }),
      { numRuns: 5_000 },
    )
  })

  for (const stars of [2, 3, 5, 9]) {
    test(`with ${stars} stars reads each character once`, () => {
      for (const text of ['-'.repeat(4_000), `${'-'.repeat(4_000)}/`, 'x-'.repeat(2_000)]) {
        const counted = new CountedText(text)
        matchesGlob(Array(stars).fill('-').concat('x').concat(''), counted)
        assert.ok(counted.looked <= text.length + 2 * stars, `${counted.looked} of ${text.length}`)
      }
    })
  }
})

describe('a rule', () => {
  const matches = (rule: string, path: string) => compilePathRule(rule)?.matches(path.slice(1).split('/'))

  test('with leading ** matches under any base path, without it under versions only', () => {
    for (const [rule, path, expected] of [
      ['**/ocr', '/ocr', true],
      ['**/ocr', '/v1/ocr', true],
      ['/**/ocr', '/a/b/v1/ocr', true],
      ['**/ocr', '/files/v1/ocr', false],
      ['**/ocr', '/Threads/t1/ocr', false],
      ['**/ocr', '/a;b/ocr', false],
      // Some servers cut dots off the end.
      ['**/ocr', '/files./ocr', false],
      ['**/ocr', '/a.b/ocr', true],
      ['**/ocr', '/a b/ocr', false],
      ['**/ocr', '/V1/ocr', false],
      ['**/ocr', '/ocrs', false],
      ['ocr', '/openai/v1/ocr', true],
      ['ocr', '/a/ocr', false],
      ['/', '/', true],
      ['/', '/v1', false],
      ['GET /', '/', true],
      ['*', '/', false],
    ] as const) {
      assert.equal(matches(rule, path), expected, `${rule} ${path}`)
    }
  })

  for (const rule of ['', 'a/**', 'a/**/b', '**', '**/', 'get x', 'a b', '**/**/a', 'x?y']) {
    test(`must not be ${JSON.stringify(rule)}`, () => assert.equal(compilePathRule(rule), undefined))
  }
})
