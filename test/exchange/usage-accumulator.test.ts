import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import type { ParsedMessage, Progress } from '../../lib/formats/index.js'

/** What these messages have told, one behind another, the first at the time 0. */
function told(...readings: ParsedMessage[]): UsageAccumulator {
  const accumulator = new UsageAccumulator()
  readings.forEach((reading, at) => void accumulator.add(reading, at))
  return accumulator
}

describe('an answer with several choices', () => {
  const after = (choices: Progress['choices']) => {
    const accumulator = told({ finishReason: 'stop' })
    accumulator.advance({ choices }, {}, 0)
    return accumulator.isComplete
  }

  test('is complete when each of them has ended', () => {
    assert.equal(
      after([
        { index: 0, isEnded: true },
        { index: 127, isEnded: false },
      ]),
      false,
    )
    assert.equal(
      after([
        { index: 0, isEnded: true },
        { index: 127, isEnded: true },
      ]),
      true,
    )
  })

  test('is not complete if the first one, which seemed to be the only one, goes on after the others have begun', () => {
    const accumulator = told({ finishReason: 'stop' })
    const text = { text: 'a' }
    accumulator.advance({}, text, 0)
    accumulator.advance({ choices: [{ index: 1, isEnded: false }] }, text, 0)
    accumulator.advance({}, text, 0)
    accumulator.advance({ choices: [{ index: 1, isEnded: true }] }, {}, 0)
    assert.equal(accumulator.isComplete, false)
    accumulator.advance({ choices: [{ index: 0, isEnded: true }] }, {}, 0)
    assert.equal(accumulator.isComplete, true)
  })

  test('is complete with as many as a provider accepts, however many were asked for', () => {
    const accumulator = told({ finishReason: 'stop' })
    const choices = Array.from({ length: 128 }, (_, index) => ({ index, isEnded: true }))
    accumulator.advance({ choices: choices.slice(0, 127) }, {}, 0)
    assert.deepEqual([accumulator.isCompleteFor(127), accumulator.isCompleteFor(128)], [true, false])
    accumulator.advance({ choices }, {}, 0)
    assert.deepEqual([accumulator.isCompleteFor(128), accumulator.isCompleteFor(500)], [true, true])
  })

  test('ignores an index that no request can ask for', () => {
    assert.equal(
      after([
        { index: 0, isEnded: true },
        { index: 128, isEnded: false },
      ]),
      true,
    )
    assert.equal(
      after([
        { index: 0, isEnded: true },
        { index: 4_000_000_000, isEnded: false },
      ]),
      true,
    )
    assert.equal(
      after([
        { index: 0, isEnded: true },
        { index: -1, isEnded: false },
      ]),
      true,
    )
  })
})

describe('messages are merged', () => {
  test('into an accumulator that starts empty', () => {
    assert.deepEqual(
      { ...new UsageAccumulator() },
      {
        model: undefined,
        responseId: undefined,
        onIdentified: undefined,
        finishReason: undefined,
        usage: undefined,
        billed: undefined,
        error: undefined,
        isLast: false,
        isPending: false,
        isRecognised: false,
        sequenceNumber: undefined,
        isTruncated: false,
        hasMessages: false,
        contentAt: undefined,
        endedAt: undefined,
        estimatedTokens: 0,
        firstTokenAt: undefined,
      },
    )
  })

  test('without effect if they have no data', () => {
    const accumulator = told({ model: 'm', responseId: 'r', finishReason: 'stop', error: 'e', isLast: true, text: 'a' })
    const before = { ...accumulator }
    accumulator.add({}, 9)
    accumulator.add({ model: '', responseId: undefined, finishReason: '', isLast: false, text: '' } as ParsedMessage, 9)
    assert.deepEqual({ ...accumulator }, before)
  })

  test('with the last model, finish reason and error, and the first id', () => {
    const first = { model: 'router', finishReason: 'length', error: 'first', responseId: 'r1' }
    const accumulator = told(first, { model: 'gpt-5', finishReason: 'stop', error: 'second', responseId: 'r2' })
    const { model, finishReason, error, responseId } = accumulator
    assert.deepEqual([model, finishReason, error, responseId], ['gpt-5', 'stop', 'second', 'r1'])
  })

  test('so that figures may come in parts, and neither 0 nor a missing figure erases one', () => {
    const accumulator = told(
      { usage: { inputTokens: 10, outputTokens: 1, cachedInputTokens: 4 } },
      { usage: { outputTokens: 25 } },
      { usage: { inputTokens: 0, outputTokens: 30, cachedInputTokens: 0 } },
    )
    assert.deepEqual(accumulator.usage, { inputTokens: 10, outputTokens: 30, cachedInputTokens: 4 })
  })

  test('so that isLast stays true', () => assert.equal(told({ isLast: true }, { isLast: false }).isLast, true))

  test('so that the first token is that of the first message with text', () => {
    const accumulator = told({ model: 'm' }, { text: '' }, { text: 'a' }, { text: 'b' })
    assert.equal(accumulator.firstTokenAt, 2)
  })

  test('so that a first token at time 0 stays the first', () => {
    assert.equal(told({ text: 'a' }, { text: 'b' }).firstTokenAt, 0)
  })
})

/** The same, where text has passed between. */
function toldBehind(estimated: number, ...readings: ParsedMessage[]): UsageAccumulator {
  const accumulator = new UsageAccumulator()
  accumulator.estimatedTokens = estimated
  readings.forEach((reading, at) => void accumulator.add(reading, at))
  return accumulator
}

test('a figure that replaces others does so even if it is 0', () => {
  const accumulator = told(
    { usage: { inputTokens: 181, outputTokens: 1, cachedInputTokens: 9 } },
    { usage: { outputTokens: 0, cachedInputTokens: 0 }, replacesUsage: true },
  )
  assert.deepEqual(accumulator.usage, { inputTokens: 181, outputTokens: 0, cachedInputTokens: 0 })
})

test('an output of 0 replaces nothing once text has passed', () => {
  const accumulator = told({ usage: { outputTokens: 17 } })
  accumulator.estimatedTokens = 12
  accumulator.add({ usage: { inputTokens: 0, outputTokens: 0 }, replacesUsage: true }, 1)
  assert.deepEqual(accumulator.usage, { inputTokens: 0, outputTokens: 17 })
})

test('the sequence number is the highest so far', () => {
  const accumulator = new UsageAccumulator()
  assert.equal(accumulator.sequenceNumber, undefined)
  for (const [sequenceNumber, highest] of [
    [0, 0],
    [7, 7],
    [undefined, 7],
    [3, 7],
  ] as const) {
    accumulator.advance({ sequenceNumber }, {}, 0)
    assert.equal(accumulator.sequenceNumber, highest)
  }
})

test('a tool call is a first token, even without arguments', () => {
  assert.equal(told({ model: 'm' }, { callsTool: true }, { text: 'a' }).firstTokenAt, 1)
  assert.equal(told({ whole: { id: 'call_1', text: '{}' } }).firstTokenAt, 0)
})

describe('output tokens so far', () => {
  for (const [name, usage, estimated, expected] of [
    ['nothing reported, nothing estimated', undefined, 0, 0],
    ['estimated only, rounded', undefined, 12.6, 13],
    ['reported only', { outputTokens: 7 }, 0, 7],
    ['reported before any text, and less than that since', { outputTokens: 20 }, 12.6, 20],
    ['reported before any text, and more than that since', { outputTokens: 1 }, 12.6, 13],
    ['reported for the input only', { inputTokens: 5 }, 2, 2],
  ] as const) {
    test(name, () => {
      const accumulator = told(usage ? { usage } : {})
      accumulator.estimatedTokens = estimated
      assert.equal(accumulator.outputTokens, expected)
    })
  }
})

test('the estimate of text after a figure is added to the figure if text had passed before it', () => {
  const accumulator = toldBehind(8, { usage: { outputTokens: 20 } })
  accumulator.estimatedTokens = 20.6
  assert.equal(accumulator.outputTokens, 33)
})

describe('generated tokens so far', () => {
  const beside = { inputTokens: 10, outputTokens: 20, reasoningTokens: 300, totalTokens: 330 }
  for (const [name, usage, estimatedTokens, expected] of [
    ['if nothing is reported', undefined, 7, 7],
    ['with reasoning that the output excludes', beside, 0, 320],
    ['with reasoning only', { inputTokens: 10, reasoningTokens: 300, totalTokens: 310 }, 0, 300],
    ['with separate reasoning, and tokens of tools in the total', { ...beside, totalTokens: 400 }, 0, 320],
    ['with reasoning in the output', { ...beside, outputTokens: 320 }, 0, 320],
    ['with reasoning that passed as text, once', { inputTokens: 10, reasoningTokens: 300, totalTokens: 310 }, 290, 300],
    ['with more text than was reported', { inputTokens: 10, reasoningTokens: 300, totalTokens: 310 }, 400, 400],
    ['if no total is reported', { reasoningTokens: 300, outputTokens: 20 }, 0, 20],
  ] as const) {
    test(name, () => {
      const accumulator = told(usage ? { usage } : {})
      accumulator.estimatedTokens = estimatedTokens
      assert.equal(accumulator.generatedTokens, expected)
    })
  }
})

describe('usage of a complete answer', () => {
  for (const [name, usage, estimated, expected] of [
    [
      'is what was reported',
      { inputTokens: 3, outputTokens: 5 },
      0,
      { inputTokens: 3, outputTokens: 5, estimated: false },
    ],
    [
      'is estimated if text came after the figures, without an end',
      { outputTokens: 5 },
      400,
      { outputTokens: 400, estimated: true },
    ],
    ['is exact if nothing was generated', { outputTokens: 0 }, 0, { outputTokens: 0, estimated: false }],
    // Embeddings: no output, and none is missing.
    [
      'needs no output figure if no text passed',
      { inputTokens: 3, totalTokens: 3 },
      0,
      { inputTokens: 3, totalTokens: 3, estimated: false },
    ],
    [
      'is completed by the estimate if text passed, and no output was reported',
      { inputTokens: 3 },
      8.2,
      {
        inputTokens: 3,
        outputTokens: 8,
        estimated: true,
      },
    ],
    ['is estimated if nothing was reported', undefined, 8.2, { outputTokens: 8, estimated: true }],
    ['is unknown if nothing was reported and nothing passed', undefined, 0, undefined],
  ] as const) {
    test(name, () => {
      const accumulator = told(usage ? { usage } : {})
      accumulator.estimatedTokens = estimated
      assert.deepEqual(accumulator.usageAt(true), expected)
    })
  }
})

describe('usage with text before the first figure', () => {
  for (const [what, reading] of [
    ['is final with that figure', { usage: { outputTokens: 5 } }],
    [
      'is final with that figure, including later text, if there is a finish reason',
      { usage: { outputTokens: 5 }, finishReason: 'stop' },
    ],
  ] as const) {
    test(what, () => {
      const accumulator = new UsageAccumulator()
      accumulator.estimatedTokens = 400
      accumulator.add(reading, 1)
      assert.equal(accumulator.outputTokens, 5)
      if ('finishReason' in reading) accumulator.estimatedTokens = 401
      assert.deepEqual(accumulator.usageAt(true), { outputTokens: 5, estimated: false })
    })
  }

  for (const [what, end] of [
    ['the last message has come', { isLast: true }],
    ['a finish reason has come', { finishReason: 'stop' }],
  ] as const) {
    test(`is not final with an earlier figure, although ${what}`, () => {
      const accumulator = told({ usage: { outputTokens: 1 } })
      accumulator.estimatedTokens = 6
      accumulator.add(end, 1)
      assert.deepEqual(accumulator.usageAt(true), { outputTokens: 6, estimated: true })
    })
  }

  test('is final with a figure in the last messages, if no text follows it', () => {
    for (const [readings, estimated] of [
      [[{ text: 'a' }, { usage: { outputTokens: 5 } }, { isLast: true }], false],
      [[{ usage: { outputTokens: 5 } }, { text: 'a' }, { isLast: true }], true],
      [[{ text: 'a' }, { isLast: true }], true],
    ] as const) {
      const accumulator = told({ usage: { outputTokens: 5 } })
      accumulator.estimatedTokens = 9
      for (const reading of readings) accumulator.addAtEnd(reading, 1)
      assert.equal(accumulator.usageAt(true)?.estimated, estimated)
    }
  })

  for (const usage of [{ inputTokens: 3 }, { inputTokens: 3, outputTokens: 0 }]) {
    test(`is estimated if no output was reported: ${JSON.stringify(usage)}`, () => {
      const accumulator = new UsageAccumulator()
      accumulator.estimatedTokens = 400
      accumulator.add({ usage }, 1)
      assert.equal(accumulator.outputTokens, 400)
    })
  }

  test('is an estimate if the stream failed', () => {
    const accumulator = new UsageAccumulator()
    accumulator.add({ usage: { outputTokens: 5 }, finishReason: 'stop', error: 'no' }, 1)
    assert.deepEqual(accumulator.usageAt(true), { outputTokens: 5, estimated: true })
  })
})

describe('usage of an answer that ended early', () => {
  for (const [name, usage, estimated, expected] of [
    [
      'is an estimate even if everything was reported',
      { inputTokens: 3, outputTokens: 5 },
      2,
      {
        inputTokens: 3,
        outputTokens: 5,
        estimated: true,
      },
    ],
    [
      'is completed by the estimate',
      { inputTokens: 3, outputTokens: 1 },
      8.2,
      {
        inputTokens: 3,
        outputTokens: 8,
        estimated: true,
      },
    ],
    ['is the estimate only', undefined, 8.2, { outputTokens: 8, estimated: true }],
    [
      'has an output of 0 if nothing has come yet',
      { inputTokens: 3 },
      0,
      { inputTokens: 3, outputTokens: 0, estimated: true },
    ],
    ['is unknown if less than half a token passed', undefined, 0.4, undefined],
    ['is unknown if nothing is known', undefined, 0, undefined],
    [
      'has no total if none was reported',
      { inputTokens: 3 },
      8,
      {
        inputTokens: 3,
        outputTokens: 8,
        estimated: true,
      },
    ],
    [
      'has a total that covers the estimate',
      { inputTokens: 3, outputTokens: 1, totalTokens: 4 },
      8,
      {
        inputTokens: 3,
        outputTokens: 8,
        totalTokens: 11,
        estimated: true,
      },
    ],
    [
      'keeps the other figures',
      { inputTokens: 3, cachedInputTokens: 2, cacheWriteTokens: 1, reasoningTokens: 7 },
      8,
      {
        inputTokens: 3,
        cachedInputTokens: 2,
        cacheWriteTokens: 1,
        reasoningTokens: 7,
        outputTokens: 8,
        estimated: true,
      },
    ],
  ] as const) {
    test(name, () => {
      const accumulator = told(usage ? { usage } : {})
      accumulator.estimatedTokens = estimated
      assert.deepEqual(accumulator.usageAt(false), expected)
    })
  }

  // Google's total has thoughts and what tools put into the prompt, on top of input and output.
  test('never has a total below the reported one', () => {
    const usage = { inputTokens: 10, outputTokens: 100, reasoningTokens: 500, totalTokens: 610 }
    const accumulator = toldBehind(80, { usage })
    accumulator.estimatedTokens = 200
    assert.equal(accumulator.usageAt(false)?.totalTokens, 730)
  })

  test('divides a total that is reported alone: the text so far is output, and the rest is input', () => {
    const counting = { cache: 'inside', reasoning: 'by total' } as const
    const accumulator = toldBehind(12, { usage: { totalTokens: 50 } })
    const usage = { inputTokens: 38, outputTokens: 12, totalTokens: 50, estimated: true }
    assert.deepEqual(accumulator.usageAt(true), usage)
    assert.equal(accumulator.tokensAt(true, counting)?.total, 50)
    accumulator.estimatedTokens = 15
    assert.deepEqual(accumulator.usageAt(true), { ...usage, outputTokens: 15, totalTokens: 53 })
    assert.deepEqual(accumulator.tokensAt(true, counting), {
      uncachedInput: 38,
      cachedInput: 0,
      cacheWrite: 0,
      visibleOutput: 15,
      reasoning: 0,
      total: 53,
    })
    const less = toldBehind(12, { usage: { totalTokens: 5 } })
    assert.deepEqual(less.usageAt(true), { inputTokens: 0, outputTokens: 5, totalTokens: 5, estimated: true })
    assert.equal(less.generatedTokens, 5)
  })

  test('does not change the reported figures', () => {
    const accumulator = told({ usage: { inputTokens: 3, outputTokens: 1, totalTokens: 4 } })
    accumulator.estimatedTokens = 8
    accumulator.usageAt(false)
    assert.deepEqual(accumulator.usage, { inputTokens: 3, outputTokens: 1, totalTokens: 4 })
  })
})

describe('tokens with a uniform meaning', () => {
  const openai = { cache: 'inside', reasoning: 'by total' } as const
  const google = { cache: 'inside', reasoning: 'outside' } as const

  test('equal the reported figures', () => {
    const accumulator = told({
      usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 4, reasoningTokens: 15 },
    })
    assert.deepEqual(accumulator.tokensAt(true, openai), {
      uncachedInput: 6,
      cachedInput: 4,
      cacheWrite: 0,
      visibleOutput: 5,
      reasoning: 15,
      total: 30,
    })
  })

  test('equal the billed figures if those are higher', () => {
    const accumulator = told({
      usage: { inputTokens: 10, outputTokens: 20 },
      billed: { inputTokens: 110, outputTokens: 25 },
    })
    assert.equal(accumulator.tokensAt(true, openai)?.total, 135)
  })

  test('are completed by what passed after the billed figures, which include calls of which nothing passed', () => {
    const accumulator = told({
      usage: { inputTokens: 10, outputTokens: 1 },
      billed: { inputTokens: 110, outputTokens: 301 },
    })
    accumulator.estimatedTokens = 400
    const { visibleOutput, total } = accumulator.tokensAt(false, { cache: 'outside', reasoning: 'inside' })!
    assert.deepEqual([visibleOutput, total], [700, 810])
  })

  test('are completed by the estimate, which includes the text of the reasoning', () => {
    const thoughts = toldBehind(0, { usage: { inputTokens: 10, reasoningTokens: 300, totalTokens: 310 } })
    thoughts.estimatedTokens = 290
    assert.deepEqual([thoughts.tokensAt(false, google)?.total, thoughts.tokensAt(false, google)?.reasoning], [310, 300])
    thoughts.estimatedTokens = 400
    const { visibleOutput, total } = thoughts.tokensAt(false, google)!
    assert.deepEqual([visibleOutput, total], [100, 410])
  })

  test('are estimated if nothing was reported, and unknown if nothing is known', () => {
    const accumulator = new UsageAccumulator()
    assert.equal(accumulator.tokensAt(true, openai), undefined)
    accumulator.estimatedTokens = 8
    assert.deepEqual(
      [accumulator.tokensAt(true, openai)?.visibleOutput, accumulator.tokensAt(true, openai)?.total],
      [8, 8],
    )
  })
})

test('of the names that an answer reports no more than 2,048 characters are kept', () => {
  const long = 'm'.repeat(100_000)
  const { model, finishReason } = told({ model: long, finishReason: long })
  assert.deepEqual([model?.length, finishReason?.length], [2048, 2048])
})
