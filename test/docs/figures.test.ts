import assert from 'node:assert/strict'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { root } from './pages.js'

const row = { scenario: 'burst', metric: 'throughput', label: 'bursts', better: 'higher', rounds: 4 }
const bench = {
  ranges: {
    sets: [
      {
        node: '20',
        rows: [
          { ...row, worst: 1.5, best: 3, median: 2, must: 2 },
          {
            ...row,
            metric: 'health',
            label: '– health',
            better: 'lower',
            worst: 0.09,
            best: 0.0712,
            median: 0.08,
            must: 0.1,
          },
        ],
      },
    ],
    options: [
      {
        contender: 'quota',
        date: '2026-01-01',
        rows: [{ ...row, scenario: 'small', metric: 'requestsPerSecond', worst: 0.5, best: 0.9 }],
        values: [{ scenario: 'crowd', metric: 'ms', unit: 'ms', from: 3.71, to: 66.2 }],
      },
      { contender: 'routed', date: '2026-01-03', rows: [{ ...row, worst: 2, best: 3 }], values: [] },
    ],
    hooked: [{ scenario: 'burst', metric: 'throughput', unit: 'MB/s', ours: 109, hooked: 28 }],
  },
  results: {
    date: '2026-01-02',
    rows: [{ scenario: 'burst', metric: 'health', unit: 'ms', ours: 17.04, plain: 242.9 }],
  },
}
const mark = (asked: string, text = 'old') => `<!-- figure ${asked} -->${text}<!-- /figure -->`

describe('figures of the benchmark', () => {
  let withFigures: (markdown: string, from: object) => string
  before(async () => {
    const file = pathToFileURL(path.join(root, '.ci/docs/figures.mjs')).href
    withFigures = (await import(file)).withFigures
  })

  for (const [asked, text] of [
    ['range 20 burst.throughput', '1.50× to 3.00×'],
    ['range 20 burst.health', '0.090× to 0.071×'],
    ['worst 20 burst.throughput', '1.50×'],
    ['fewer 20 burst.health', '11 to 14 times'],
    ['result burst.health plain', '240 ms'],
    ['hooked burst.throughput hooked', '28 MB/s'],
    ['option quota small.requestsPerSecond', '0.50× to 0.90×'],
    ['values quota crowd.ms', '3.7 to 66 ms'],
    ['date', '2026-01-02'],
  ] as const) {
    test(`${asked}: ${text}`, () => assert.equal(withFigures(`a ${mark(asked)} b`, bench), `a ${mark(asked, text)} b`))
  }

  test('a verdict depends on the worse end of a range', () => {
    const text = withFigures(mark('verdict 20'), bench)
    assert.match(text, /reach their target.*\n\n- health \(bursts\)\n\n.*do not:\*\*\n\n- bursts\n/s)
  })

  test('a table has a row for each measure', () => {
    assert.match(withFigures(mark('table 20'), bench), /\n\| bursts \| 1\.50× to 3\.00× \| 2\.00× \| ≥ 2× \| 4 \|\n/)
  })

  test('a table of options has a row for each that was measured', () => {
    const text = withFigures(mark('options small.requestsPerSecond'), bench)
    assert.match(
      text,
      /\| two `targets` \| – \| 4, 2026-01-03 \|\n\| .*`quota\(\)`.* \| 0\.50× to 0\.90× \| 4, 2026-01-01 \|/,
    )
  })

  test('an unmeasured or unknown figure, or an unclosed mark, is an error', () => {
    for (const asked of [
      'range 20 drip.cpu',
      'range 26 burst.throughput',
      'result burst.health nginx',
      'guess 1',
      'option resume a.b',
      'values quota a.b',
    ]) {
      assert.throws(() => withFigures(mark(asked), bench), /figure/)
    }
    assert.throws(() => withFigures('<!-- figure date -->2026', bench), /not closed/)
  })
})
