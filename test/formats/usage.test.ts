import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Usage } from '../../lib/formats/index.js'
import { mergeUsage, usageReader } from '../../lib/formats/usage.js'

const counting = { cache: 'inside', reasoning: 'inside' } as const

describe('usageReader', () => {
  const read = usageReader({ inputTokens: ['in', 'details.in'], outputTokens: ['out'] }, counting)

  for (const [told, usage] of [
    [
      { in: 1, out: 2 },
      { inputTokens: 1, outputTokens: 2 },
    ],
    [{ in: 1 }, { inputTokens: 1 }],
    [{ in: 0 }, { inputTokens: 0 }],
    [{ details: { in: 3 } }, { inputTokens: 3 }],
    [{ in: 1, details: { in: 3 } }, { inputTokens: 1 }],
    // A 0 in one place does not hide what another tells.
    [{ in: 0, details: { in: 3 } }, { inputTokens: 3 }],
    [{ in: null, details: { in: 3 } }, { inputTokens: 3 }],
    [
      { in: '1', out: '20' },
      { inputTokens: 1, outputTokens: 20 },
    ],
    [{ in: '1.5', out: -1 }, undefined],
    [{ in: '', out: '1'.repeat(16) }, undefined],
    [{ in: ' 1', out: 'ten' }, undefined],
    [{ in: Number.POSITIVE_INFINITY, out: Number.NaN }, undefined],
    [{ in: [1], out: { count: 1 } }, undefined],
    [{}, undefined],
    [[], undefined],
    [null, undefined],
    [undefined, undefined],
    ['in', undefined],
    [5, undefined],
  ] as const) {
    test(`${JSON.stringify(told)}: ${JSON.stringify(usage)}`, () => assert.deepEqual(read(told), usage))
  }

  test('the missing figure is what the total leaves, if that is more than 0', () => {
    const read = usageReader({ inputTokens: ['in'], outputTokens: ['out'], totalTokens: ['total'] }, counting)
    assert.deepEqual(read({ in: 3, total: 5 }), { inputTokens: 3, outputTokens: 2, totalTokens: 5 })
    assert.deepEqual(read({ out: 3, total: 5 }), { inputTokens: 2, outputTokens: 3, totalTokens: 5 })
    // Embeddings have no output; and some servers tell a total of nothing.
    assert.deepEqual(read({ in: 5, total: 5 }), { inputTokens: 5, totalTokens: 5 })
    assert.deepEqual(read({ in: 5, total: 0 }), { inputTokens: 5, totalTokens: 0 })
  })

  test('inherited properties are ignored', () => {
    assert.equal(usageReader({ inputTokens: ['constructor.length'] }, counting)({}), undefined)
  })
})

describe('mergeUsage', () => {
  for (const [what, known, told, merged] of [
    ['nothing and nothing', undefined, undefined, undefined],
    ['nothing and no figure', undefined, {}, undefined],
    ['the first', undefined, { inputTokens: 1 }, { inputTokens: 1 }],
    ['none later', { inputTokens: 1 }, undefined, { inputTokens: 1 }],
    ['parts', { inputTokens: 1 }, { outputTokens: 2 }, { inputTokens: 1, outputTokens: 2 }],
    ['a larger one later', { outputTokens: 2 }, { outputTokens: 9 }, { outputTokens: 9 }],
    ['a smaller one later', { outputTokens: 9 }, { outputTokens: 2 }, { outputTokens: 2 }],
    ['a zero later', { outputTokens: 9, inputTokens: 1 }, { outputTokens: 0 }, { outputTokens: 9, inputTokens: 1 }],
    ['a zero first', { outputTokens: 0 }, { outputTokens: 9 }, { outputTokens: 9 }],
    ['only zeros', { outputTokens: 0 }, { outputTokens: 0 }, { outputTokens: 0 }],
    ['a zero only', undefined, { cachedInputTokens: 0 }, { cachedInputTokens: 0 }],
    ['undefined later', { totalTokens: 4 }, { totalTokens: undefined }, { totalTokens: 4 }],
    [
      'all figures',
      { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
      { cachedInputTokens: 4, cacheWriteTokens: 5, reasoningTokens: 6 },
      {
        inputTokens: 1,
        outputTokens: 2,
        totalTokens: 3,
        cachedInputTokens: 4,
        cacheWriteTokens: 5,
        reasoningTokens: 6,
      },
    ],
  ] as const) {
    test(what, () => assert.deepEqual(mergeUsage(known, told), merged))
  }

  test('invalid types are ignored, and known figures stay', () => {
    fc.assert(
      fc.property(fc.anything(), fc.boolean(), (odd, isKnown) => {
        const isCount = typeof odd === 'number' && Number.isFinite(odd) && odd >= 0
        fc.pre(!isCount)
        const wrong = { inputTokens: odd, extra: 1 } as Usage
        const right: Usage = { inputTokens: 7 }
        assert.deepEqual(isKnown ? mergeUsage(wrong, right) : mergeUsage(right, wrong), right)
      }),
    )
  })

  test('neither argument is changed', () => {
    const known = Object.freeze({ inputTokens: 1 })
    const told = Object.freeze({ inputTokens: 2 })
    assert.notEqual(mergeUsage(known, told), told)
    assert.deepEqual([known, told], [{ inputTokens: 1 }, { inputTokens: 2 }])
  })
})
