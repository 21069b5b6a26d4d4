import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { latin1 } from '../support/bytes.js'
import { anyBytes, framings } from './bodies.js'
import { anyCuts, assertFollows, cut, framesOf, grouped, messagesOf, outcomeOf } from './plan.js'

const groupSizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })

for (const [framing, plans] of framings) {
  const { name } = framing

  describe(`${name}: any body, split in any way`, () => {
    test('comes out unchanged, in whole frames, each as soon as it is complete', () => {
      fc.assert(
        fc.property(plans, anyCuts, (plan, cuts) => {
          assertFollows(framing.createFramer(Number.POSITIVE_INFINITY), plan, cuts)
        }),
        { numRuns: 500 },
      )
    })

    test('is too large or not, however it is split, and the frames before it go out', () => {
      fc.assert(
        fc.property(plans, anyCuts, fc.integer({ min: 1, max: 150 }), (plan, cuts, max) => {
          const result = outcomeOf(
            framing.createFramer(max),
            cut(plan.body, cuts).map((chunk) => [chunk]),
          )
          const sizes = plan.frames.map(({ end }, at) => end - (plan.frames[at - 1]?.end ?? 0))
          const firstTooLarge = sizes.findIndex((size) => size > max)
          const restIsTooLarge = plan.body.length - (plan.frames.at(-1)?.end ?? 0) > max
          if (firstTooLarge >= 0) {
            assert.equal(latin1(result.out), latin1(plan.body.subarray(0, plan.frames[firstTooLarge - 1]?.end ?? 0)))
            assert.equal(result.tooLarge, true)
          } else {
            assert.equal(result.out.length, plan.frames.at(-1)?.end ?? 0)
            // AWS says beforehand how long a message is going to be.
            if (name !== 'aws-event-stream') assert.equal(result.tooLarge, restIsTooLarge)
          }
        }),
        { numRuns: 500 },
      )
    })

    test('grouping chunks into pushes changes nothing', () => {
      const bodies = fc.oneof(
        plans.map(({ body }) => body),
        anyBytes,
      )
      fc.assert(
        fc.property(bodies, anyCuts, groupSizes, fc.constantFrom(20, 1000), (body, cuts, sizes, max) => {
          const chunks = cut(body, cuts)
          const one = framing.createFramer(max)
          const many = framing.createFramer(max)
          const oneByOne = outcomeOf(one, grouped(chunks, [1]))
          const inGroups = outcomeOf(many, grouped(chunks, sizes))
          assert.deepEqual(
            { ...inGroups, out: latin1(inGroups.out), frames: messagesOf(framing, inGroups.frames) },
            { ...oneByOne, out: latin1(oneByOne.out), frames: messagesOf(framing, oneByOne.frames) },
          )
          assert.equal(latin1(many.end()), latin1(one.end()))
          assert.equal(many.corrupt, one.corrupt)
          assert.equal(many.events, one.events)
        }),
        { numRuns: 500 },
      )
    })
  })

  describe(`${name}: arbitrary bytes`, () => {
    test('come out unchanged as far as they are frames, without an exception', () => {
      fc.assert(
        fc.property(anyBytes, anyCuts, fc.integer({ min: 1, max: 100 }), (body, cuts, max) => {
          const framer = framing.createFramer(max)
          const { out, frames } = outcomeOf(framer, grouped(cut(body, cuts), [1]))
          const rest = framesOf(framer, framer.end())
          messagesOf(framing, [...frames, ...rest])
          const whole = Buffer.concat([out, ...rest])
          const shared = Math.min(whole.length, body.length)
          assert.equal(latin1(whole.subarray(0, shared)), latin1(body.subarray(0, shared)))
          // What completes the rest is a line end or two.
          assert.match(latin1(whole.subarray(shared))!, /^\n{0,2}$/)
        }),
        { numRuns: 1000 },
      )
    })

    test('are read without an error', () => {
      fc.assert(
        fc.property(anyBytes, (bytes) => {
          const message = framing.read(bytes)
          if (message) assert.equal(typeof message.data, 'string')
        }),
        { numRuns: 1000 },
      )
    })
  })

  test(`${name}: what is written is one frame, and reads back as what was written`, () => {
    fc.assert(
      fc.property(fc.json(), (data) => {
        const frame = framing.write({ data })
        const message = framing.read(frame)
        assert.equal(message?.data, data)
        if (name === 'json-array') return
        const framer = framing.createFramer(Number.POSITIVE_INFINITY)
        const out = framer.push([Buffer.concat([frame, frame])])
        assert.equal(out?.length, 2 * frame.length)
        assert.deepEqual([...framer.ends], [frame.length, 2 * frame.length])
        assert.equal(framer.events, 2)
      }),
    )
  })
}
