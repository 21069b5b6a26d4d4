import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import type { Metering } from '../../lib/exchange/metering.js'
import type { Framer } from '../../lib/framing/index.js'
import { settled } from '../support/event-loop.js'
import { manualTurns } from '../support/manual-turns.js'
import { event, rig, type Source } from './streaming.js'

/** Frames end with `;`. What stands behind a `!` is corrupt, and so is an end in the middle of a frame. */
class FakeFramer implements Framer {
  readonly carriesMessages = true
  readonly heartbeat = undefined
  events = 0
  tooLarge = false
  corrupt: string | undefined
  ends: number[] = []
  pushes = 0
  #held = ''
  #out = ''

  push(chunks: readonly Buffer[]): Buffer | undefined {
    this.pushes++
    const [sound = '', ...rest] = (this.#held + Buffer.concat(chunks)).split('!')
    const cut = sound.lastIndexOf(';') + 1
    this.#held = sound.slice(cut)
    if (rest.length > 0) this.corrupt = 'the checksum is wrong'
    return this.#give(sound.slice(0, cut))
  }

  end(): Buffer | undefined {
    if (this.#held.includes('?')) this.corrupt = 'it ended in the middle of a frame'
    return this.#give(this.corrupt || this.#held === '' ? '' : `${this.#held};`)
  }

  last(): Buffer | undefined {
    const [start = 0, end = 0] = [this.ends.at(-2), this.ends.at(-1)]
    return end > 0 ? Buffer.from(this.#out.slice(start, end)) : undefined
  }

  discardLast(): void {}

  #give(out: string): Buffer | undefined {
    this.#out = out
    this.ends = [...out.matchAll(/;/g)].map(({ index }) => index + 1)
    this.events += this.ends.length
    return out === '' ? undefined : Buffer.from(out)
  }
}

describe('bytes that are not frames', () => {
  test('end the stream as broken, after the whole frames before them', async () => {
    const framer = new FakeFramer()
    const { source, res, log, run } = rig({ framer })
    await source.arrive('a;b;', 'c!d;e;')
    await run()
    assert.equal(res.body, 'a;b;')
    assert.deepEqual(log, ['last b;', 'broken: the checksum is wrong'])
  })

  test('end the stream as broken if no frame precedes them', async () => {
    const { source, res, log, run } = rig({ framer: new FakeFramer() })
    await source.arrive('!')
    await run()
    assert.deepEqual([res.writes, log], [[], ['broken: the checksum is wrong']])
  })

  test('are the end: nothing is read, written or reported after them', async () => {
    const framer = new FakeFramer()
    const { source, res, log, run } = rig({ framer })
    await source.arrive('a;!')
    await run()
    const { reads } = source
    await source.arrive('b;')
    await source.breakOff(new Error('gone'))
    await run()
    assert.deepEqual([res.body, log.length, framer.pushes, source.reads], ['a;', 2, 1, reads])
  })

  test('end the stream as broken once, even if it ends at the same time', async () => {
    const { source, log, run } = rig({ framer: new FakeFramer() })
    await source.arrive('a;!')
    await source.finish()
    await run()
    assert.deepEqual(log, ['last a;', 'broken: the checksum is wrong'])
  })

  test('at the end of the stream truncate it if partial frames must not go out', async () => {
    const { source, res, log, run } = rig({ framer: new FakeFramer() })
    await source.arrive('a;b?')
    await source.finish()
    await run()
    assert.equal(res.body, 'a;')
    assert.deepEqual(log, ['last a;', 'cut: it ended in the middle of a frame'])
  })

  test('end the stream after the whole frames have been written to a slow client', async () => {
    const { source, res, log, run } = rig({ framer: new FakeFramer() })
    res.keepsUp = false
    await source.arrive('a;')
    await run()
    await source.arrive('b;!')
    await run()
    assert.deepEqual(log, ['block', 'last a;'])
    res.drain()
    await run()
    assert.equal(res.body, 'a;b;')
    assert.deepEqual(log.at(-1), 'broken: the checksum is wrong')
  })
})

/** Notes what it is given, and passes it on in capitals; `x` it keeps for itself. */
function noting(calls: [frames: string, ends: readonly number[], now: number][] = []): Metering & { finishes: number } {
  return {
    finishes: 0,
    pass(frames, ends, now) {
      calls.push([frames.toString(), ends, now])
      const seen = frames.toString().toUpperCase().replaceAll('X;', '')
      return seen === '' ? undefined : Buffer.from(seen)
    },
    finish() {
      this.finishes++
    },
  }
}

test('an end that arrives while a large frame is being written is handled after the frame', async () => {
  const pieces = Array.from({ length: 40 }, () => Buffer.from('x'))
  const metering = { pass: (frames: Buffer) => frames, prefix: pieces, finish: () => {} }
  const { source, clock, sink, log, res, run } = rig({ metering })
  const write = res.write.bind(res)
  // Each turn uses the whole round.
  res.write = (bytes) => {
    clock.time += 100
    return write(bytes)
  }
  await source.arrive(event('the rest'))
  clock.runRound()
  assert.equal(sink.isWithinFrame, true)
  // It asks for a turn, and has one already.
  await source.finish()
  await run()
  assert.equal(res.body, 'x'.repeat(40) + event('the rest'))
  assert.equal(log.at(-1), 'end')
})

describe('metering', () => {
  test('gets the whole frames of each turn, their ends, and the time when the turn began', async () => {
    const { clock, turns } = manualTurns(1000)
    const calls: Parameters<typeof noting>[0] = []
    const { source, run } = rig({ turns, metering: noting(calls) })
    clock.time = 5
    await source.arrive(event('a'), event('bb'), 'data: c')
    clock.runAll()
    clock.time = 9
    await source.arrive('c\n\n')
    clock.runAll()
    await run()
    assert.deepEqual(calls, [
      [event('a') + event('bb'), [9, 19], 5],
      [event('cc'), [10], 9],
    ])
  })

  test('is not called if no frame is complete', async () => {
    const calls: Parameters<typeof noting>[0] = []
    const { source, run } = rig({ metering: noting(calls) })
    await source.arrive('data: half')
    await run()
    assert.deepEqual(calls, [])
  })

  test('decides what the client gets', async () => {
    const { source, res, run } = rig({ framer: new FakeFramer(), metering: noting() })
    await source.arrive('a;x;b;')
    await run()
    assert.deepEqual(res.writes, ['A;B;'])
  })

  test('may drop everything: nothing is written, but the last frame is reported', async () => {
    const { source, res, log, run, turnsTaken } = rig({ framer: new FakeFramer(), metering: noting() })
    await source.arrive('x;')
    await run()
    assert.deepEqual(res.writes, [])
    assert.deepEqual(log, ['last x;'])
    assert.equal(turnsTaken(), 1)
  })

  test('gets the remaining bytes at a clean end as well', async () => {
    const calls: Parameters<typeof noting>[0] = []
    const { source, res, run, log } = rig({ metering: noting(calls) })
    await source.arrive('data: 1')
    await source.finish()
    await run()
    assert.deepEqual(
      calls.map(([frames, ends]) => [frames, ends]),
      [[event('1'), [9]]],
    )
    assert.equal(res.body, event('1').toUpperCase())
    assert.equal(log.at(-1), 'end')
  })

  test('gets nothing that is not sent: beyond maxBytes, or after a break', async () => {
    const calls: Parameters<typeof noting>[0] = []
    const limited = rig({ metering: noting(calls), maxBytes: 12 })
    await limited.source.arrive(event('a') + event('b'))
    await limited.run()
    const broken = rig({ metering: noting(calls) })
    await broken.source.arrive(`${event('c')}data: half`)
    await broken.source.breakOff()
    await broken.run()
    assert.deepEqual(
      calls.map(([frames]) => frames),
      [event('a'), event('c')],
    )
  })

  test('of a body without frames gets its bytes as they arrive', async () => {
    const calls: Parameters<typeof noting>[0] = []
    const { source, res, run } = rig({ type: 'application/json', metering: noting(calls) })
    await source.arrive('{"a":')
    await run()
    await source.arrive('1}')
    await source.finish()
    await run()
    assert.deepEqual(
      calls.map(([frames]) => frames),
      ['{"a":', '1}'],
    )
    assert.equal(res.body, '{"A":1}')
  })

  test('of a body that is one frame gets it before it is sent with the end', async () => {
    const response = new IncomingMessage(new Socket())
    const metering = noting()
    const { res, run, log } = rig({ source: response as unknown as Source, type: 'application/json', metering })
    response.push(Buffer.from('{"a":1}'))
    response.complete = true
    response.push(null)
    await settled()
    await run()
    assert.deepEqual([res.writes, res.writableEnded], [['{"A":1}'], true])
    assert.deepEqual(log, ['end'])
  })

  test('that throws ends its stream, and no other', async () => {
    const { clock, turns } = manualTurns(1000)
    const thrown = new Error('onEvent failed')
    const metering: Metering = {
      pass() {
        throw thrown
      },
      finish() {},
    }
    const broken = rig({ turns, metering })
    const sound = rig({ turns })
    await broken.source.arrive(event('a'))
    await sound.source.arrive(event('b'))
    clock.runAll()
    assert.deepEqual([broken.log, broken.crashes, broken.res.writes], [['crash'], [thrown], []])
    assert.deepEqual(sound.res.writes, [event('b')])
  })

  test('that throws within a turn ends the stream in onCrash, after what came before was sent', async () => {
    const error = new Error('onEvent failed')
    const metering: Metering = { pass: () => Buffer.from('before'), finish: () => {}, failure: { error } }
    for (const isLast of [false, true]) {
      const { source, res, log, crashes, run } = rig({ metering })
      await source.arrive(isLast ? 'data: 1' : event('1'))
      if (isLast) await source.finish()
      await run()
      assert.deepEqual([res.writes, log, crashes], [['before'], ['crash'], [error]])
    }
  })

  test('that throws on the remaining bytes at the end ends the stream in onCrash as well', async () => {
    const metering: Metering = {
      pass() {
        throw new Error('onEvent failed')
      },
      finish() {},
    }
    const { source, log, run } = rig({ metering })
    await source.arrive('data: 1')
    await source.finish()
    await run()
    assert.deepEqual(log, ['crash'])
  })

  test('is finished by whoever ends the exchange, not by the stream', async () => {
    const metering = noting()
    const { source, run } = rig({ metering })
    await source.arrive(event('a'))
    await source.finish()
    await run()
    assert.equal(metering.finishes, 0)
  })
})
