import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { hasBeenSent, hasDisconnected, onDisconnect } from '../../lib/response/disconnect.js'
import { settled } from '../support/event-loop.js'

function rig({ closed = false, destroyed = false, hasConnection = true } = {}) {
  const socket = Object.assign(new EventEmitter(), { destroyed })
  const res = Object.assign(new EventEmitter(), { closed, socket: hasConnection ? socket : null })
  const ends = [{ socket } as unknown as IncomingMessage, res as unknown as ServerResponse] as const
  let gone = 0
  const stop = onDisconnect(...ends, () => gone++)
  return { socket, res, ends, stop, gone: () => gone, listeners: () => [...res.eventNames(), ...socket.eventNames()] }
}

describe('onDisconnect', () => {
  test('calls once, when the response closes', () => {
    const { res, gone, listeners } = rig()
    assert.equal(gone(), 0)
    res.emit('close')
    res.emit('close')
    assert.equal(gone(), 1)
    assert.deepEqual(listeners(), [])
  })

  for (const [name, left] of [
    ['the response has closed', { closed: true }],
    ['the connection has', { destroyed: true }],
  ] as const) {
    test(`calls where ${name} already, and not within`, async () => {
      const { ends, gone, listeners } = rig(left)
      assert.equal(hasDisconnected(...ends), true)
      assert.equal(gone(), 0)
      await settled()
      assert.equal(gone(), 1)
      assert.deepEqual(listeners(), [])
    })
  }

  test('calls where the connection ends of a response that waits behind another', () => {
    const { socket, res, gone, listeners } = rig({ hasConnection: false })
    socket.emit('close')
    res.emit('close')
    assert.equal(gone(), 1)
    assert.deepEqual(listeners(), [])
  })

  test('one listener hears of the connection for all that wait in its pipeline', () => {
    const socket = Object.assign(new EventEmitter(), { destroyed: false })
    const gone: number[] = []
    const stops = Array.from({ length: 12 }, (_, at) => {
      const res = Object.assign(new EventEmitter(), { closed: false, socket: null })
      const ends = [{ socket }, res] as unknown as [IncomingMessage, ServerResponse]
      return onDisconnect(...ends, () => gone.push(at))
    })
    assert.equal(socket.listenerCount('close'), 1)
    stops[0]!()
    stops[0]!()
    assert.equal(socket.listenerCount('close'), 1)
    socket.emit('close')
    assert.deepEqual(gone, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert.deepEqual(socket.eventNames(), [])
  })

  test('does not ask the connection where the response has it: it closes itself', () => {
    const { socket, gone } = rig()
    socket.emit('close')
    assert.equal(gone(), 0)
  })

  test('stopped, calls no more', () => {
    const { res, stop, gone, listeners } = rig({ hasConnection: false })
    stop()
    res.emit('close')
    assert.equal(gone(), 0)
    assert.deepEqual(listeners(), [])
  })

  test('stopped, does not call for what had happened before', async () => {
    const { stop, gone } = rig({ closed: true })
    stop()
    await settled()
    assert.equal(gone(), 0)
  })
})

describe('hasBeenSent', () => {
  const goneOut = (res: object, socket: object = { destroyed: false }) =>
    hasBeenSent({ socket } as unknown as IncomingMessage, res as unknown as ServerResponse)

  test('a response that was ended, on a connection that stands', () => {
    assert.equal(goneOut({ writableEnded: true, writableFinished: true }), true)
    assert.equal(goneOut({ writableEnded: true, writableFinished: false }), true)
    assert.equal(goneOut({ writableEnded: false }), false)
  })

  test('not where its last bytes were thrown away with the connection', () => {
    assert.equal(goneOut({ writableEnded: true, writableFinished: true }, { destroyed: true }), false)
  })

  test('of a stream of HTTP/2, which is always destroyed, by how it was closed', () => {
    const socket = { destroyed: true }
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 0, aborted: false } }, socket), true)
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 8, aborted: false } }, socket), false)
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 0, aborted: true } }, socket), false)
    assert.equal(goneOut({ writableEnded: false, stream: { rstCode: 0, aborted: false } }, socket), false)
  })
})

describe('a response that never closes', () => {
  test('is done with when it has finished, if it was ended', async () => {
    const { res, gone, listeners } = rig()
    res.emit('finish')
    Object.assign(res, { writableEnded: true })
    assert.equal(gone(), 0)
    await settled()
    assert.equal(gone(), 1)
    assert.deepEqual(listeners(), [])
  })

  test('is not, where it finished because its connection is gone: `close` follows', async () => {
    const { socket, res, gone } = rig()
    Object.assign(res, { writableEnded: true })
    socket.destroyed = true
    res.emit('finish')
    await settled()
    assert.equal(gone(), 0)
    res.emit('close')
    assert.equal(gone(), 1)
  })
})
