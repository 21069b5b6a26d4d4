import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { getFormat } from '../../lib/formats/index.js'
import { event, passed } from './passing.js'

const format = getFormat('openai-responses')
const code = JSON.stringify({ code: 'x'.repeat(4000) })
const item = (id: string, text: string) => ({ id, type: 'function_call', name: 'f', arguments: text })
const done = (id: string, text: string) =>
  event({ type: 'response.output_item.done', output_index: 0, item: item(id, text) })
const argumentsDone = (id: string, text: string) =>
  event({ type: 'response.function_call_arguments.done', item_id: id, arguments: text })
const delta = (id: string, text: string) =>
  event({ type: 'response.function_call_arguments.delta', item_id: id, delta: text })

/** The estimate for a stream that was cut behind these events, in tokens. */
function estimated(events: readonly string[]): number {
  return Math.round(passed(events, { format, isTruncated: true }).accumulator.estimatedTokens)
}

/** Within what rounding makes of an estimate. */
function isAbout(estimate: number, expected: number): void {
  assert.ok(Math.abs(estimate - expected) <= 2, `${estimate} is not about ${expected}`)
}

describe('a tool call whose arguments come in one piece', () => {
  const tokens = estimated([done('a', code)])

  test('counts once', () => {
    assert.ok(Math.abs(tokens - code.length / 4) < 100, `${tokens} tokens`)
    assert.equal(estimated([argumentsDone('a', code)]), tokens)
    assert.equal(estimated([argumentsDone('a', code), done('a', code)]), tokens)
  })

  test('counts in addition to others', () => {
    isAbout(estimated([done('a', code), done('b', code)]), 2 * tokens)
  })

  test('does not count again if its pieces have passed', () => {
    isAbout(estimated([delta('a', code), argumentsDone('a', code), done('a', code)]), tokens)
    isAbout(estimated([delta('a', code), argumentsDone('a', code), done('a', code), done('b', code)]), 2 * tokens)
  })

  test('is a first token', () => {
    const added = event({ type: 'response.output_item.added', output_index: 0, item: item('a', '') })
    assert.equal(passed([event({ type: 'response.created' }), added], { format }).accumulator.firstTokenAt, 2)
  })
})
