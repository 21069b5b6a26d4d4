import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodyPlan } from '../../lib/response/body-plan.js'
import type { Downstream } from '../../lib/response/downstream.js'
import { FrameWriter } from '../../lib/response/frame-writer.js'
import type { ResponseLimits } from '../../lib/response/response-limits.js'
import { copyChunk } from '../../lib/util/chunk-memory.js'

function rig() {
  const downstream = { hasSentAll: true, writeFrames: () => {} }
  const limits = { isNearBound: () => false, check: () => {} }
  const writer = new FrameWriter(downstream as unknown as Downstream, limits as unknown as ResponseLimits, {
    isStopped: false,
  })
  const chunk = (letter: string) => copyChunk(Buffer.alloc(60 * 1024, letter))
  const write = (frames: Buffer) => {
    const framer = { ends: [frames.length], prefix: undefined, events: 1, copiedBytes: 0 }
    writer.write(frames, { framer, metering: undefined } as unknown as BodyPlan, 0)
  }
  return { downstream, chunk, write }
}

test('the memory of frames is taken back at once if the system has them', () => {
  const { chunk, write } = rig()
  const frames = chunk('a')
  write(frames)
  assert.equal(frames.length, 0)
})

test('the memory of frames that the system had not taken is taken back before the next ones are written', () => {
  const { downstream, chunk, write } = rig()
  const [first, second, third] = [chunk('a'), chunk('b'), chunk('c')]
  downstream.hasSentAll = false
  write(first)
  assert.equal(String(first.subarray(0, 2)), 'aa')
  write(second)
  downstream.hasSentAll = true
  write(third)
  assert.deepEqual(
    [first, second, third].map(({ length }) => length),
    [60 * 1024, 0, 0],
  )
})
