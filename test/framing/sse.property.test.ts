import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SseFramer } from '../../lib/framing/sse.js'
import { cutAt, latin1 } from '../support/bytes.js'
import { readSlowly, withoutEnd } from '../support/slow-event-reader.js'

const lineEnd = fc.constantFrom('\n', '\r', '\r\n')
const anyBytes = fc
  .uint8Array({ maxLength: 12 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13)).toString('latin1'))
const line = fc.oneof(
  anyBytes.map((bytes) => `data: ${bytes}`),
  anyBytes.map((bytes) => `: ${bytes}`),
  fc.constantFrom('event: message', 'id: 7', 'retry: 10', 'data', ':', ' ', 'data:[DONE]'),
)
const block = fc.tuple(fc.array(fc.tuple(line, lineEnd), { maxLength: 4 }), lineEnd)
const wellFormed = fc
  .tuple(
    fc.constantFrom('', '\uFEFF'),
    fc.array(block, { maxLength: 8 }),
    fc.option(fc.tuple(line, fc.option(lineEnd))),
  )
  .map(([mark, blocks, tail]) => {
    const text = blocks.map(([lines, end]) => lines.flat().join('') + end).join('')
    const rest = tail ? tail[0] + (tail[1] ?? '') : ''
    return Buffer.concat([Buffer.from(mark), Buffer.from(text + rest, 'latin1')])
  })
/** Line ends and colons in any order, which no sender would send. */
const nasty = fc
  .array(fc.constantFrom('\r', '\n', '\r\n', ':', 'd', 'data: x'), { maxLength: 30 })
  .map((parts) => Buffer.from(parts.join('')))
const places = fc.array(fc.nat(200), { maxLength: 40 })
const cutBody = fc
  .tuple(fc.oneof(wellFormed, nasty), fc.oneof(places, fc.constant(Array.from({ length: 300 }, (_, at) => at))))
  // A byte order mark before a comment or a blank line: see the tests by example.
  .filter(([body]) => !/^\uFEFF(?:[:\r\n]|$)/.test(body.toString()))

describe('any body, split in any way', () => {
  test('comes out unchanged, in whole events, each with the chunk that completes it', () => {
    fc.assert(
      fc.property(cutBody, ([body, cuts]) => {
        const framer = new SseFramer(Number.POSITIVE_INFINITY)
        let taken = Buffer.alloc(0)
        let sent = Buffer.alloc(0)
        let eventsBefore = 0
        for (const chunk of cutAt(body, cuts)) {
          const out = framer.push([chunk]) ?? Buffer.alloc(0)
          taken = Buffer.concat([taken, chunk])
          sent = Buffer.concat([sent, out])
          const expected = readSlowly(taken)
          assert.equal(latin1(sent), latin1(taken.subarray(0, expected.boundary)))
          assert.equal(framer.events, expected.events.length)
          const last = expected.events.slice(eventsBefore).at(-1)
          assert.equal(last && withoutEnd(last), framer.last() && withoutEnd(latin1(framer.last())!))
          eventsBefore = expected.events.length
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('ends with the remainder, closed by line ends and nothing else, or without it if it is cut after data', () => {
    fc.assert(
      fc.property(cutBody, ([body, cuts]) => {
        const framer = new SseFramer(Number.POSITIVE_INFINITY)
        const sent: Buffer[] = []
        for (const chunk of cutAt(body, cuts)) sent.push(framer.push([chunk]) ?? Buffer.alloc(0))
        sent.push(framer.end() ?? Buffer.alloc(0))
        const whole = Buffer.concat(sent)
        const { rest, restIsEvent, events, boundary } = readSlowly(body)
        if (framer.corrupt !== undefined) {
          assert.equal(latin1(whole), latin1(body.subarray(0, boundary)))
          assert.match(latin1(body.subarray(boundary))!, /data:[\s\S]*[\r\n](?!data:)[^\r\n:][^\r\n]*$/)
          assert.equal(framer.events, events.length)
          return
        }
        assert.equal(latin1(whole.subarray(0, body.length)), latin1(body))
        assert.match(latin1(whole.subarray(body.length))!, rest === '' ? /^$/ : /^\n{1,2}$/)
        assert.equal(readSlowly(whole).boundary, whole.length, 'the end is an event boundary')
        assert.equal(framer.events, events.length + (restIsEvent ? 1 : 0))
      }),
      { numRuns: 3000 },
    )
  })

  test('is too large or not, however it is split, and the events before it go out', () => {
    fc.assert(
      fc.property(cutBody, fc.integer({ min: 1, max: 30 }), ([body, cuts], max) => {
        const inOne = new SseFramer(max)
        const sentInOne = inOne.push([Buffer.from(body)])
        const inMany = new SseFramer(max)
        const sent = cutAt(body, cuts).map((chunk) => inMany.push([chunk]) ?? Buffer.alloc(0))
        assert.equal(latin1(Buffer.concat(sent)), latin1(sentInOne) ?? '')
        assert.equal(inMany.tooLarge, inOne.tooLarge)
        assert.equal(inMany.events, inOne.events)
        const { sizes, rest } = readSlowly(body)
        assert.equal(inOne.tooLarge, Math.max(...sizes, rest.length) > max)
      }),
      { numRuns: 3000 },
    )
  })
})
