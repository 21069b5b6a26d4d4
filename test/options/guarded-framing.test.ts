import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Framer, type Framing, framings } from '../../lib/index.js'
import { checkedFraming } from '../../lib/options/framing.js'
import { guardedFraming } from '../../lib/options/guarded-framing.js'
import { copyChunk, takeBack } from '../../lib/util/chunk-memory.js'
import { unhandledRejections } from '../support/unhandled.js'

const mine: Framing = { ...framings.ndjson, name: 'mine' }

/** The framing with one member replaced, guarded, and what is reported of it. */
function guarded(change: object): { framing: Framing; errors: string[] } {
  const errors: string[] = []
  const report = (error: unknown) => void errors.push((error as Error).message)
  return { framing: guardedFraming({ ...mine, ...change } as Framing, { report }), errors }
}

const failing = Symbol('fails')
const frame = Buffer.from('{}\n')

/** A framer with one member replaced. */
const framerWith = (change: object) => ({
  createFramer: (max: number) =>
    Object.defineProperties(mine.createFramer(max), Object.getOwnPropertyDescriptors(change)),
})

const resultOf = (call: () => unknown): unknown => {
  try {
    return call()
  } catch {
    return failing
  }
}

const members: Readonly<Record<string, readonly [call: (framing: Framing) => unknown, instead: unknown]>> = {
  read: [(framing) => framing.read(frame), undefined],
  write: [(framing) => framing.write({ data: '{}' }), failing],
  isAvailable: [(framing) => framing.isAvailable?.(), false],
  dataStart: [(framing) => framing.dataStart?.(frame), 0],
  asContinuation: [(framing) => framing.asContinuation?.(frame), frame],
  asFirst: [(framing) => framing.asFirst?.(frame), frame],
  createFramer: [(framing) => framing.createFramer(9).push([frame]), frame],
}

const framerMembers: Readonly<Record<string, readonly [call: (framer: Framer) => unknown, instead: unknown]>> = {
  push: [(framer) => framer.push([frame]), failing],
  end: [(framer) => framer.end(), failing],
  last: [(framer) => framer.last(), undefined],
}

const ways: readonly [what: string, give: () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('broken')
    },
  ],
  ['returns a number', () => 5.5],
  ['returns a string', () => 'x'],
  ['returns a promise', async () => frame],
  ['returns a promise that rejects', () => Promise.reject(new Error('late'))],
]

describe('a function of a framing that fails is reported, and does not end the process', () => {
  for (const [what, give] of ways) {
    for (const [member, [call, instead]] of Object.entries(members)) {
      test(`${member} ${what}`, async (t) => {
        const unhandled = unhandledRejections(t)
        const { framing, errors } = guarded({ [member]: give })
        assert.equal(
          resultOf(() => call(framing)),
          instead,
        )
        assert.equal(errors.length, 1)
        assert.match(errors[0]!, /^broken$|^\w+ of the framing mine (?:must return|returned a promise)/)
        await setImmediate()
        assert.deepEqual(unhandled, [])
      })
    }

    for (const [member, [call, instead]] of Object.entries(framerMembers)) {
      test(`${member} of its framer ${what}`, async (t) => {
        const unhandled = unhandledRejections(t)
        const { framing, errors } = guarded(framerWith({ [member]: give }))
        const framer = framing.createFramer(9)
        assert.equal(
          resultOf(() => call(framer)),
          instead,
        )
        assert.equal(errors.length, 1)
        await setImmediate()
        assert.deepEqual(unhandled, [])
      })
    }
  }

  for (const [what, event] of Object.entries({
    'an event that is a number': { data: '{}', event: 5 },
    'an id that is a number': { data: '{}', id: 5 },
    'an error that is a string': { data: '{}', isError: 'yes' },
  })) {
    test(`read returns ${what}`, () => {
      const { framing, errors } = guarded({ read: () => event })
      assert.equal(framing.read(frame), undefined)
      assert.deepEqual(errors, ['read of the framing mine must return a message: { data, event, id, isError }'])
    })
  }

  for (const [what, ends] of [
    ['none', undefined],
    ['one beyond its frames', [999]],
    ['one that is no number', ['1']],
  ] as const) {
    test(`push sets ends of frames: ${what}`, () => {
      const { framing, errors } = guarded(framerWith({ ends, push: () => frame }))
      assert.equal(
        resultOf(() => framing.createFramer(9).push([])),
        failing,
      )
      assert.match(errors.join(), /push of the framing mine must return a Buffer or undefined, with the ends/)
    })
  }

  test('createFramer returns a frozen framer', () => {
    const { framing, errors } = guarded({ createFramer: (max: number) => Object.freeze(mine.createFramer(max)) })
    assert.equal(framing.createFramer(9).push([frame]), frame)
    assert.equal(errors.length, 1)
  })
})

test('a framing that works is not reported', () => {
  const { framing, errors } = guarded({})
  const framer = framing.createFramer(99)
  assert.equal(String(framer.push([frame, Buffer.from('{"a"')])), '{}\n')
  assert.equal(String(framer.last()), '{}\n')
  assert.equal(String(framer.push([Buffer.from(':1}\n')])), '{"a":1}\n')
  assert.equal(framer.end(), undefined)
  assert.deepEqual(framing.read(frame), { data: '{}' })
  assert.equal(String(framing.write({ data: '{}' })), '{}\n')
  assert.deepEqual(errors, [])
})

test('a framing has a name and a content type that are not empty', () => {
  for (const member of ['name', 'contentType']) {
    assert.throws(
      () => checkedFraming('framing', { ...mine, [member]: '' }),
      new RegExp(`^TypeError: aiProxy: framing.${member} takes a string that is not empty; got ''`),
    )
  }
})

describe('the memory of what a framer has returned', () => {
  test('may be used again if the framer is a built-in one', () => {
    const framer = guarded({}).framing.createFramer(99)
    framer.push([Buffer.from('{}\n{"a"')])
    assert.equal(framer.copiedBytes, 4)
  })

  test('may not if the app has changed its push, which may keep a part', () => {
    let kept: Buffer | undefined
    const createFramer = (max: number) => {
      const framer = mine.createFramer(max)
      const push = framer.push.bind(framer)
      framer.push = (chunks) => {
        const frames = push(chunks)
        kept = frames?.subarray(0, 3)
        return frames
      }
      return framer
    }
    const framer = guarded({ createFramer }).framing.createFramer(99)
    const frames = framer.push([copyChunk(Buffer.from('{}\n'.repeat(20_000)))])!
    if (framer.copiedBytes !== undefined) takeBack(frames, framer.copiedBytes)
    assert.equal(String(kept), '{}\n')
  })

  test('may if a framer of the app says so', () => {
    const copying = framerWith({ push: () => frame, ends: [frame.length], copiedBytes: 0 })
    assert.equal(guarded(copying).framing.createFramer(9).copiedBytes, 0)
  })
})
