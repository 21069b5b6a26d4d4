import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInTurns } from '../../lib/scheduling/run-in-turns.js'
import { manualTurns } from '../support/manual-turns.js'

test('a task runs one step per round if its steps take longer than a turn may', async () => {
  const { clock, turns } = manualTurns(1)
  const log: string[] = []
  const work = (name: string) =>
    (function* () {
      for (let piece = 1; piece <= 2; piece++) {
        log.push(name + piece)
        clock.time += 2
        yield
      }
      return name
    })()
  const both = Promise.all([runInTurns(work('a'), turns), runInTurns(work('b'), turns)])
  assert.deepEqual(log, [])
  for (const seen of ['a1', 'a1 b1', 'a1 b1 a2', 'a1 b1 a2 b2']) {
    clock.runRound()
    assert.equal(log.join(' '), seen)
  }
  clock.runAll()
  assert.deepEqual(await both, ['a', 'b'])
})

test("the promise rejects with the task's exception, and the task does not continue", async () => {
  const { clock, turns } = manualTurns()
  const failing = runInTurns(
    (function* (): Generator<void, never> {
      yield
      throw new Error('enough')
    })(),
    turns,
  )
  clock.runAll()
  await assert.rejects(failing, /enough/)
  assert.equal(turns.waiting, 0)
})

test('a cancelled task stops, and its promise rejects', async () => {
  const { clock, turns } = manualTurns(1)
  let pieces = 0
  let isUnneeded = false
  const work = (function* (): Generator<void, never> {
    for (;;) {
      pieces++
      clock.time += 2
      yield
    }
  })()
  const given = runInTurns(work, turns, () => isUnneeded)
  clock.runRound()
  clock.runRound()
  isUnneeded = true
  clock.runAll()
  await assert.rejects(given, { code: 'aborted' })
  assert.deepEqual([pieces, turns.waiting], [2, 0])
})
