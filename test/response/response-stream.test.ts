import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settled } from '../support/event-loop.js'
import { manualTurns } from '../support/manual-turns.js'
import { event, KIB, OneByOneSource, rig, Source } from './streaming.js'

describe('a turn', () => {
  for (const [name, source] of [
    ['as this Node reads', () => new Source()],
    ['one buffer a call, as Node 26 reads', () => new OneByOneSource()],
  ] as const) {
    test(`reads everything available and writes once (${name})`, async () => {
      const { source: from, res, run, turnsTaken, bytes, framer } = rig({ source: source() })
      const events = Array.from({ length: 200 }, (_, at) => event(`${at}`))
      await from.arrive(...events)
      assert.deepEqual(res.writes, [], 'nothing is done before the turn')
      await run()
      assert.deepEqual(res.writes, [events.join('')])
      assert.equal(turnsTaken(), 1)
      assert.equal(bytes(), events.join('').length)
      assert.equal(framer.events, 200)
    })

    test(`is requested again for data that arrives later (${name})`, async () => {
      const { source: from, res, run } = rig({ source: source() })
      for (const data of ['a', 'b', 'c']) {
        await from.arrive(event(data))
        await run()
      }
      assert.deepEqual(res.writes, [event('a'), event('b'), event('c')])
    })
  }

  test('is requested once, however often data arrives before it', async () => {
    const { source, turns, clock } = rig()
    await source.arrive(event('a'))
    await source.arrive(event('b'))
    assert.equal(turns.waiting, 1)
    assert.equal(clock.deferred, 1)
  })

  test('is requested if data had arrived before the response stream was created', async () => {
    const source = new Source()
    await source.arrive(event('a'))
    const { res, run } = rig({ source })
    await run()
    assert.deepEqual(res.writes, [event('a')])
  })

  test('reads at most 64 KiB, and leaves the rest to the next, after other streams', async () => {
    const { clock, turns } = manualTurns(1000)
    const order: string[] = []
    const large = rig({ turns, source: new OneByOneSource(1024 * KIB) })
    const small = rig({ turns })
    for (const [name, { res }] of [['large', large] as const, ['small', small] as const]) {
      const write = res.write.bind(res)
      res.write = (bytes) => {
        order.push(`${name} ${bytes.length / KIB} KiB`)
        return write(bytes)
      }
    }
    const events = Array.from({ length: 160 }, () => event('x'.repeat(KIB - 8)))
    await large.source.arrive(...events)
    await small.source.arrive(event('x'.repeat(KIB - 8)))
    clock.runAll()
    assert.deepEqual(order, ['large 16 KiB', 'small 1 KiB', 'large 32 KiB', 'large 64 KiB', 'large 48 KiB'])
    assert.equal(large.res.body, events.join(''))
  })

  test('reads less after a long turn, and more after short ones', async () => {
    const { clock, turns } = manualTurns(1000)
    const sizes: number[] = []
    const took = [20, 9, 2, 2]
    const metering = {
      pass(frames: Buffer) {
        sizes.push(frames.length)
        clock.time += took.shift() ?? 0
        return frames
      },
      finish() {},
    }
    const { source, res } = rig({ turns, metering, source: new Source(1024 * KIB) })
    const events = event('x'.repeat(24)).repeat(2048)
    await source.arrive(events)
    clock.runAll()
    // To no less than an eighth at a time, and to no less than half a KiB.
    assert.deepEqual(sizes.slice(0, 7), [16 * KIB, 2 * KIB, 512, KIB, 2 * KIB, 4 * KIB, 8 * KIB])
    assert.equal(res.body, events)
  })

  test('passes half an event on with its other half', async () => {
    const { source, res, run, bytes } = rig()
    await source.arrive('data: a\n\ndata: b')
    await run()
    assert.deepEqual(res.writes, ['data: a\n\n'])
    assert.equal(bytes(), 16, 'bytes count when they arrive')
    await source.arrive('b\n\n')
    await run()
    assert.deepEqual(res.writes, ['data: a\n\n', 'data: bb\n\n'])
  })

  test('reports the last event that was sent in it', async () => {
    const { source, log, run } = rig()
    await source.arrive(event('a'), event('b'), 'data: c')
    await run()
    assert.deepEqual(log, [`last ${event('b')}`])
    await source.arrive('c')
    await run()
    assert.deepEqual(log, [`last ${event('b')}`])
  })
})

describe('a stream whose client does not read', () => {
  test('takes no turns and is not read until the client has read', async () => {
    const { source, res, turns, clock, log, run, turnsTaken } = rig()
    res.keepsUp = false
    await source.arrive(event('a'))
    await run()
    assert.deepEqual(log, ['block', `last ${event('a')}`])
    const { reads } = source
    await source.arrive(event('b'))
    await source.arrive(event('c'))
    assert.deepEqual([turns.waiting, clock.deferred, turnsTaken()], [0, 0, 1])
    assert.equal(source.reads, reads)
    assert.equal(source.readableLength, event('b').length + event('c').length)
    res.drain()
    await run()
    assert.deepEqual(res.writes, [event('a'), event('b') + event('c')])
    assert.equal(turnsTaken(), 2)
  })

  test('applies backpressure to the provider', async () => {
    const { source, res, run } = rig({ source: new Source(100) })
    res.keepsUp = false
    await source.arrive(event('a'))
    await run()
    assert.equal(source.push(Buffer.from(event('x'.repeat(200)))), false)
    await run()
    assert.deepEqual(res.writes, [event('a')])
  })

  test('gives up a turn that it was queued for when its client stopped reading', async () => {
    const { source, res, sink, run } = rig()
    await source.arrive(event('a'))
    res.keepsUp = false
    sink.sendHeartbeat()
    await run()
    assert.deepEqual(res.writes, [': heartbeat\n\n'])
    res.drain()
    await run()
    assert.deepEqual(res.writes, [': heartbeat\n\n', event('a')])
  })

  test('ends only after the client has read', async () => {
    const { source, res, log, run } = rig()
    res.keepsUp = false
    await source.arrive(event('a'))
    await run()
    await source.arrive(event('b'))
    await source.finish()
    await run()
    assert.ok(!log.includes('end'))
    res.drain()
    await run()
    assert.deepEqual(res.writes, [event('a'), event('b')])
    assert.equal(log.at(-1), 'end')
  })

  test('reports that the provider broke off only after the client has got the whole events before it', async () => {
    const { source, res, log, run } = rig()
    res.keepsUp = false
    await source.arrive(event('a'))
    await run()
    await source.arrive(event('b'), 'data: half')
    await source.breakOff(new Error('gone'))
    await run()
    assert.ok(!log.includes('broken: gone'))
    res.drain()
    await run()
    assert.deepEqual(res.writes, [event('a'), event('b')])
    assert.equal(log.at(-1), 'broken: gone')
  })
})

describe('a clean end', () => {
  test('is reported once everything is written', async () => {
    const { source, res, log, run } = rig()
    await source.arrive(event('a'))
    await source.finish()
    await run()
    assert.deepEqual(res.writes, [event('a')])
    assert.deepEqual(log, [`last ${event('a')}`, 'end'])
  })

  test('adds a blank line to an unterminated event', async () => {
    const { source, res, log, run } = rig()
    await source.arrive(event('a'), 'data: 1')
    await source.finish()
    await run()
    assert.deepEqual(res.writes, [event('a'), event('1')])
    assert.deepEqual(log, [`last ${event('a')}`, `last ${event('1')}`, 'end'])
  })

  test('is reported for a body without bytes', async () => {
    const { source, res, log, run } = rig()
    await source.finish()
    await run()
    assert.deepEqual(res.writes, [])
    assert.deepEqual(log, ['end'])
  })

  test('leaves other bodies unchanged', async () => {
    const { source, res, log, run } = rig({ type: 'application/json' })
    await source.arrive('{"a":', '1}')
    await source.finish()
    await run()
    assert.equal(res.body, '{"a":1}')
    assert.deepEqual(log, ['end'])
  })
})

describe('a provider that breaks off', () => {
  for (const [name, error, message] of [
    ['with an error', new Error('socket hang up'), 'socket hang up'],
    ['without one', undefined, 'the response was closed before its end'],
  ] as const) {
    test(`${name}: whole events that had arrived go out, half an event never`, async () => {
      const { source, res, log, run } = rig()
      source.push(Buffer.from(`${event('a')}${event('b')}data: half\n`))
      await source.breakOff(error)
      await run()
      assert.equal(res.body, event('a') + event('b'))
      assert.deepEqual(log, [`last ${event('b')}`, `broken: ${message}`])
    })
  }

  test('in the middle of an event, some turns later: only whole events go out', async () => {
    const { source, res, log, run } = rig()
    await source.arrive(event('a'), 'data: half')
    await run()
    await source.breakOff(new Error('gone'))
    await run()
    assert.equal(res.body, event('a'))
    assert.equal(log.at(-1), 'broken: gone')
  })

  test('with more data than one turn reads: all of it goes out first', async () => {
    const { source, res, log, run } = rig({ source: new OneByOneSource(1024 * KIB) })
    const events = Array.from({ length: 200 }, () => event('x'.repeat(KIB)))
    for (const each of events) source.push(Buffer.from(each))
    await source.breakOff(new Error('gone'))
    await run()
    assert.equal(res.body, events.join(''))
    assert.equal(log.filter((line) => line === 'broken: gone').length, 1)
  })
})

describe('limits', () => {
  test('exactly maxBytes pass', async () => {
    const { source, res, log, run } = rig({ maxBytes: event('abc').length })
    await source.arrive(event('abc'))
    await source.finish()
    await run()
    assert.equal(res.body, event('abc'))
    assert.equal(log.at(-1), 'end')
  })

  test('one byte more ends the stream, after the whole events within the limit', async () => {
    const { source, res, log, run } = rig({ maxBytes: 2 * event('a').length + 3 })
    await source.arrive(event('a'), event('b'), event('c'))
    await run()
    assert.equal(res.body, event('a') + event('b'))
    assert.deepEqual(log, [`last ${event('b')}`, 'too many bytes'])
  })

  test('maxBytes counts over all turns', async () => {
    const { source, res, log, run, bytes } = rig({ maxBytes: 20 })
    for (let at = 0; at < 5; at++) {
      await source.arrive(event('a'))
      await run()
    }
    assert.equal(res.body, event('a') + event('a'))
    assert.deepEqual(log.at(-1), 'too many bytes')
    assert.equal(bytes(), 27, 'the turn that passed the limit counts what it read')
  })

  test('any other body is cut exactly at maxBytes', async () => {
    const { source, res, log, run } = rig({ type: 'application/octet-stream', maxBytes: 10 })
    await source.arrive('0123456', '789abc')
    await run()
    assert.equal(res.body, '0123456789')
    assert.deepEqual(log, ['too many bytes'])
  })

  test('an event that is too large ends the stream, after the whole events before it', async () => {
    const { source, res, log, run } = rig({ maxEventBytes: 20 })
    await source.arrive(event('a') + event('x'.repeat(20)) + event('b'))
    await run()
    assert.equal(res.body, event('a'))
    assert.deepEqual(log, [`last ${event('a')}`, 'too large event'])
    await source.arrive(event('b'))
    await source.finish()
    await run()
    assert.equal(res.body, event('a'), 'nothing follows')
  })
})

test('a limit and a break in the same turn are reported as the limit', async () => {
  const { source, log, run } = rig({ maxEventBytes: 20 })
  source.push(Buffer.from(event('x'.repeat(20))))
  await source.breakOff(new Error('gone'))
  await run()
  assert.deepEqual(log, ['too large event'])
})

describe('stop()', () => {
  test('stops reading, writing and reporting', async () => {
    const { source, res, stream, log, run } = rig()
    await source.arrive(event('a'))
    stream.stop()
    await run()
    await source.arrive(event('b'))
    stream.wake()
    await run()
    await source.breakOff(new Error('late'))
    await run()
    assert.deepEqual(res.writes, [])
    assert.deepEqual(log, [])
    assert.equal(source.reads, 0)
  })

  test('leaves only a listener that keeps a late error from ending the process', async () => {
    const source = new Source()
    const before = source.eventNames().length
    const { stream } = rig({ source })
    stream.stop()
    for (const name of ['readable', 'data', 'end', 'close']) assert.equal(source.listenerCount(name), 0, name)
    assert.ok(source.listenerCount('error') <= 1)
    assert.ok(source.eventNames().length <= before + 1)
  })

  for (const [name, end] of [
    ['a clean end', (source: Source) => source.finish()],
    ['a break', (source: Source) => source.breakOff(new Error('gone'))],
  ] as const) {
    test(`works at ${name}, too`, async () => {
      const { source, run } = rig()
      await source.arrive(event('a'))
      await end(source)
      await run()
      for (const each of ['readable', 'end', 'close']) assert.equal(source.listenerCount(each), 0, each)
    })
  }

  test('within a turn ends the turn', async () => {
    const { source, res, stream, log, run } = rig()
    const write = res.write.bind(res)
    res.write = (bytes) => {
      stream.stop()
      return write(bytes)
    }
    await source.arrive(event('a'))
    await source.finish()
    await run()
    assert.ok(!log.includes('end'))
  })
})

describe('a response that throws', () => {
  const thrown = new Error('a middleware of the app failed')

  test('in a turn ends in onCrash, not in an exception', async () => {
    const { source, res, log, crashes, run } = rig()
    res.write = () => {
      throw thrown
    }
    await source.arrive(event('a'))
    await run()
    assert.deepEqual(log, ['crash'])
    assert.deepEqual(crashes, [thrown])
    await source.arrive(event('b'))
    await run()
    assert.deepEqual(log, ['crash'])
  })

  test('does not affect the turns of others', async () => {
    const { clock, turns } = manualTurns(1000)
    const broken = rig({ turns })
    const sound = rig({ turns })
    broken.res.write = () => {
      throw thrown
    }
    await broken.source.arrive(event('a'))
    await sound.source.arrive(event('b'))
    clock.runAll()
    assert.deepEqual(sound.res.writes, [event('b')])
  })

  test('on the last bytes, after the end, ends in onCrash as well', async () => {
    const { source, res, log, run } = rig()
    await source.arrive('data: 1')
    await run()
    res.write = () => {
      throw thrown
    }
    // The end comes outside of any turn: an exception there would be the process's.
    const uncaught: unknown[] = []
    const end = source.listeners('end').at(-1) as () => void
    source.off('end', end)
    source.on('end', () => {
      try {
        end()
      } catch (error) {
        uncaught.push(error)
      }
    })
    await source.finish()
    await run()
    assert.deepEqual(uncaught, [])
    assert.deepEqual(log, ['crash'])
  })
})

describe('a large frame', () => {
  const large = event('x'.repeat(4 * 1024 * KIB))

  test('is written over several turns, and what follows it afterwards', async () => {
    // A turn a round.
    const { clock, turns } = manualTurns(0)
    const { source, res, log, sink } = rig({ turns, source: new Source(8 * 1024 * KIB) })
    for (let at = 0; at < large.length; at += 60 * KIB) source.push(Buffer.from(large.slice(at, at + 60 * KIB)))
    await source.arrive(event('a'))
    await source.finish()
    let rounds = 0
    while (!log.includes('end')) {
      clock.runRound()
      if (sink.isWithinFrame) rounds++
      await settled()
    }
    assert.ok(rounds >= 1, `${rounds}`)
    assert.equal(res.body, large + event('a'))
    assert.deepEqual(log, [`last ${event('a')}`, 'end'])
  })

  test('is written to its end if the provider breaks off after it', async () => {
    const { source, res, run, log } = rig({ source: new Source(8 * 1024 * KIB) })
    for (let at = 0; at < large.length; at += 60 * KIB) source.push(Buffer.from(large.slice(at, at + 60 * KIB)))
    await run()
    await source.breakOff()
    await run()
    assert.equal(res.body, large)
    assert.match(log.at(-1)!, /^broken/)
  })

  test('is written to its end even if the client does not read; what follows waits', async () => {
    const { source, res, run, sink } = rig({ source: new Source(8 * 1024 * KIB) })
    for (let at = 0; at < large.length; at += 60 * KIB) source.push(Buffer.from(large.slice(at, at + 60 * KIB)))
    res.keepsUp = false
    await run()
    assert.equal(res.body, large)
    assert.deepEqual([sink.isWithinFrame, sink.isBlocked], [false, true])
    await source.arrive(event('a'))
    await run()
    assert.equal(res.body, large)
    res.keepsUp = true
    res.drain()
    await run()
    assert.equal(res.body, large + event('a'))
  })
})
