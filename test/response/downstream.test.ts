import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, test } from 'node:test'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { Downstream } from '../../lib/response/downstream.js'
import { FakeResponse } from '../support/fake-response.js'
import { ManualTimers } from '../support/manual-timers.js'

const HEARTBEAT = ': heartbeat\n\n'

function rig(drainTimeoutMs = 100) {
  const res = new FakeResponse()
  const timers = new ManualTimers()
  const log: string[] = []
  const downstream = new Downstream(res.asServerResponse, new Deadlines(timers), () => drainTimeoutMs, {
    onBackpressure: () => log.push('block'),
    onDrain: () => log.push('drain'),
    onCrash: (error) => log.push(`crash: ${error}`),
    onDrainTimeout: () => log.push(`slow@${timers.time}`),
    onUnflushable: () => log.push('unflushable'),
  })
  return { res, timers, log, downstream }
}

describe('the head', () => {
  test('of a stream is set at once, and final', () => {
    const { res, downstream } = rig()
    downstream.openStream(201, { 'content-type': 'text/event-stream', 'x-none': undefined })
    assert.equal(downstream.begunBy, 'proxy')
    assert.equal(res.statusCode, 201)
    assert.equal(res.getHeader('content-type'), 'text/event-stream')
    assert.equal(res.getHeader('x-none'), undefined)
    assert.deepEqual(res.writes, [])
  })

  test('of a stream is sent with its first bytes, or alone if there are none', () => {
    for (const send of [
      (downstream: Downstream) => downstream.write(Buffer.from('data: 1\n\n')),
      (downstream: Downstream) => downstream.flushHead(),
      (downstream: Downstream) => downstream.end(),
    ]) {
      const { res, downstream } = rig()
      downstream.openStream(200, { 'content-type': 'text/event-stream' })
      assert.deepEqual([downstream.isHeadHeld, res.headersSent], [true, false])
      send(downstream)
      assert.deepEqual([downstream.isHeadHeld, res.headersSent], [false, true])
    }
  })

  test('of any other body waits for the first bytes, and can be replaced until then', () => {
    const { res, downstream } = rig()
    downstream.open(200, { 'content-type': 'application/json' })
    assert.equal(downstream.begunBy, undefined)
    downstream.open(504, { 'content-type': 'text/plain' })
    downstream.end('late')
    assert.equal(res.statusCode, 504)
    assert.equal(res.getHeader('content-type'), 'text/plain')
  })

  test('is sent with the end if there is no body', () => {
    const { res, downstream } = rig()
    downstream.open(204, { allow: 'GET' })
    downstream.end()
    assert.equal(res.statusCode, 204)
    assert.equal(res.getHeader('allow'), 'GET')
    assert.equal(res.writableEnded, true)
  })
})

describe('a client that has not read the last bytes', () => {
  test('gets no extra time for having read the bytes before', () => {
    const { res, timers, log, downstream } = rig(100)
    res.keepsUp = false
    downstream.openStream(200, {})
    downstream.write(Buffer.from('data: 1\n\n'))
    downstream.end()
    timers.advance(60)
    res.drain()
    timers.advance(60)
    assert.deepEqual(log, ['block', 'drain', 'slow@100'])
  })
})

describe('destroying the connection', () => {
  const cut = (chunkedEncoding: boolean, headers: Record<string, string> = {}) => {
    const { res, downstream } = rig()
    const log: string[] = []
    Object.assign(res, { chunkedEncoding })
    Object.assign(res.socket, { resetAndDestroy: () => log.push('reset') })
    res.on('close', () => log.push('closed'))
    downstream.openStream(200, headers)
    downstream.write(Buffer.from('data: 1\n\n'))
    downstream.destroy()
    return log
  }

  test('resets it if a plain close would mark a complete body, as in HTTP/1.0', () => {
    assert.deepEqual(cut(false), ['reset'])
  })

  test('closes it if the body itself says where it ends', () => {
    assert.deepEqual(cut(true), ['closed'])
    assert.deepEqual(cut(false, { 'content-length': '100' }), ['closed'])
  })
})

describe('writing', () => {
  test('counts bytes, including those of end()', () => {
    const { res, downstream } = rig()
    downstream.write(Buffer.from('ab'))
    downstream.end('ß')
    assert.equal(downstream.bytes, 4)
    assert.equal(res.body, 'abß')
  })

  test('flushes if compression() buffers', () => {
    const { res, downstream } = rig()
    const flushing = Object.assign(res, { flush: () => res.flushes++ })
    downstream.openStream(200, {})
    downstream.write(Buffer.from('a'))
    downstream.write(Buffer.from('b'))
    assert.equal(flushing.flushes, 2)
  })

  test('does nothing once the app has ended the response', () => {
    const { res, downstream } = rig()
    res.end()
    downstream.write(Buffer.from('a'))
    assert.deepEqual(res.writes, [])
    assert.equal(downstream.bytes, 0)
  })
})

describe('a client that does not read', () => {
  test('blocks once, until it has read', () => {
    const { res, log, downstream } = rig()
    res.keepsUp = false
    downstream.write(Buffer.from('a'))
    downstream.write(Buffer.from('b'))
    assert.equal(downstream.isBlocked, true)
    assert.deepEqual(log, ['block'])
    assert.equal(res.listenerCount('drain'), 1)
    res.drain()
    assert.equal(downstream.isBlocked, false)
    assert.deepEqual(log, ['block', 'drain'])
    res.keepsUp = false
    downstream.write(Buffer.from('c'))
    assert.equal(res.listenerCount('drain'), 1)
    downstream.close()
    assert.equal(res.listenerCount('drain'), 0)
  })

  test('is reported after drainTimeoutMs', () => {
    const { res, timers, log, downstream } = rig(100)
    res.keepsUp = false
    downstream.write(Buffer.from('a'))
    timers.advance(99)
    assert.deepEqual(log, ['block'])
    timers.advance(1)
    assert.deepEqual(log, ['block', 'slow@100'])
  })

  test('is not reported if it reads in time', () => {
    const { res, timers, log, downstream } = rig(100)
    res.keepsUp = false
    downstream.write(Buffer.from('a'))
    timers.advance(99)
    res.drain()
    timers.advance(1000)
    assert.deepEqual(log, ['block', 'drain'])
  })

  test('has drainTimeoutMs for the last bytes as well', () => {
    const { timers, log, downstream } = rig(100)
    timers.advance(50)
    downstream.end('bye')
    timers.advance(100)
    assert.deepEqual(log, ['slow@150'])
  })

  test('has it from when the answer before it in a pipeline has ended', () => {
    const { res, timers, log, downstream } = rig(100)
    const { socket } = res
    Object.assign(res, { socket: null })
    downstream.end('bye')
    timers.advance(1000)
    assert.deepEqual(log, [])
    res.emit('socket', Object.assign(res, { socket }).socket)
    timers.advance(100)
    assert.deepEqual(log, ['slow@1100'])
  })

  test('gets no heartbeats', () => {
    const { res, timers, downstream } = rig(1000)
    downstream.startHeartbeat(10)
    res.keepsUp = false
    downstream.write(Buffer.from('a'))
    timers.advance(50)
    assert.equal(res.body, 'a')
    res.drain()
    timers.advance(10)
    assert.equal(res.body, `a${HEARTBEAT}`)
  })
})

describe('a middleware that wraps write()', () => {
  const wraps = {
    'returns nothing': () => undefined,
    'returns false, whatever the response says': () => false,
    'returns something else': () => 0,
  }
  for (const [what, returned] of Object.entries(wraps)) {
    test(`and ${what}: everything is written, including heartbeats`, () => {
      const { res, timers, log, downstream } = rig()
      const write = res.write.bind(res)
      res.write = (bytes) => {
        write(bytes)
        return returned() as boolean
      }
      downstream.startHeartbeat(10)
      for (const bytes of ['a', 'b', 'c']) downstream.write(Buffer.from(bytes))
      timers.advance(10)
      assert.equal(res.body, `abc${HEARTBEAT}`)
      assert.equal(downstream.isBlocked, false)
      assert.deepEqual(log, [])
    })

    test(`and ${what}: a client that does not read is awaited nevertheless`, () => {
      const { res, log, downstream } = rig()
      const write = res.write.bind(res)
      res.write = (bytes) => {
        write(bytes)
        return returned() as boolean
      }
      res.keepsUp = false
      downstream.write(Buffer.from('a'))
      assert.equal(downstream.isBlocked, true)
      res.drain()
      assert.deepEqual(log, ['block', 'drain'])
    })
  }

  test('and buffers by itself, as compression() does: its own `drain` is awaited', () => {
    const { res, log, downstream } = rig()
    const compressor = new EventEmitter()
    res.on = (name, listener) => {
      compressor.on(name, listener)
      return res
    }
    res.write = () => false
    downstream.write(Buffer.from('a'))
    assert.equal(downstream.isBlocked, true)
    compressor.emit('drain')
    assert.deepEqual(log, ['block', 'drain'])
  })

  test("on HTTP/2, where the response's stream emits `drain`", () => {
    for (const needsDrain of [true, false]) {
      const { res, downstream } = rig()
      Object.defineProperty(res, 'writableNeedDrain', { value: undefined })
      Object.assign(res, { stream: { writableNeedDrain: needsDrain } })
      res.write = () => false
      downstream.write(Buffer.from('a'))
      assert.equal(downstream.isBlocked, needsDrain)
    }
  })
})

describe('the content type of an answer', () => {
  test('must not be guessed by browsers, for streams, answers and errors alike', () => {
    for (const open of ['open', 'openStream'] as const) {
      const { res, downstream } = rig()
      downstream[open](200, {})
      downstream.end('x')
      assert.equal(res.getHeader('x-content-type-options'), 'nosniff')
    }
  })

  test('keeps the value of x-content-type-options that the app has set', () => {
    const { res, downstream } = rig()
    res.setHeader('X-Content-Type-Options', 'of the app')
    downstream.open(200, {})
    downstream.end('x')
    assert.equal(res.getHeader('x-content-type-options'), 'of the app')
  })
})

describe('heartbeats', () => {
  test('are sent if nothing else was sent for everyMs', () => {
    const { res, timers, downstream } = rig()
    downstream.startHeartbeat(10)
    timers.advance(9)
    assert.deepEqual(res.writes, [])
    timers.advance(1)
    assert.deepEqual(res.writes, [HEARTBEAT])
    timers.advance(20)
    assert.equal(res.writes.length, 3)
    assert.equal(downstream.bytes, 3 * HEARTBEAT.length)
  })

  test('wait as long as something is sent', () => {
    const { res, timers, downstream } = rig()
    downstream.startHeartbeat(10)
    for (let at = 0; at < 5; at++) {
      timers.advance(9)
      downstream.write(Buffer.from('x'))
    }
    assert.equal(res.body, 'xxxxx')
    timers.advance(10)
    assert.equal(res.body, `xxxxx${HEARTBEAT}`)
  })

  test('are off with Infinity', () => {
    const { timers, downstream } = rig()
    downstream.startHeartbeat(Number.POSITIVE_INFINITY)
    assert.equal(timers.pending, 0)
  })

  test('stop at the end', () => {
    const { res, timers, downstream } = rig(5)
    downstream.startHeartbeat(10)
    downstream.end()
    timers.advance(100)
    assert.deepEqual(res.writes, [])
  })
})

describe('a client that has disconnected', () => {
  test('gets no further bytes, and leaves no listener or timer', () => {
    const { res, timers, log, downstream } = rig(100)
    downstream.startHeartbeat(10)
    res.keepsUp = false
    downstream.write(Buffer.from('a'))
    downstream.close()
    downstream.write(Buffer.from('b'))
    downstream.end('c')
    downstream.sendHeartbeat()
    downstream.startHeartbeat(10)
    timers.advance(1000)
    assert.deepEqual(res.writes, ['a'])
    assert.deepEqual(log, ['block'])
    assert.equal(res.listenerCount('drain'), 0)
    assert.equal(timers.pending, 0)
    assert.deepEqual([downstream.isGone, downstream.isBlocked, downstream.bytes], [true, false, 1])
  })
})

test('cut() destroys the connection', () => {
  const { res, downstream } = rig()
  downstream.destroy()
  assert.equal(res.destroyed, true)
})

describe('a large frame', () => {
  const pieces = Array.from({ length: 40 }, (_, at) => `<${at}>`)
  const whole = pieces.join('')
  const begun = () => {
    const given = rig()
    given.downstream.openStream(200, {})
    given.downstream.startHeartbeat(10)
    given.downstream.writePieces(
      pieces.map((piece) => Buffer.from(piece)),
      0,
    )
    return given
  }

  test('is written one part per turn, without heartbeats in between', () => {
    const { res, timers, downstream } = begun()
    assert.equal(downstream.isWithinFrame, true)
    assert.equal(res.writes.length, 16)
    timers.advance(20)
    assert.equal(res.writes.length, 16)
    downstream.writeMore(20)
    downstream.writeMore(21)
    assert.equal(downstream.isWithinFrame, false)
    assert.equal(res.body, whole)
    timers.advance(20)
    assert.equal(res.body, whole + HEARTBEAT)
  })

  test('is written to its end before an error', () => {
    const { res, downstream } = begun()
    downstream.end('error')
    assert.equal(res.body, `${whole}error`)
  })

  test('is dropped if the client has disconnected', () => {
    const { res, downstream } = begun()
    downstream.close()
    downstream.writeMore(1)
    assert.equal(res.writes.length, 16)
    assert.equal(downstream.isWithinFrame, false)
  })
})
