import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { ClientSide } from '../../lib/exchange/client-side.js'
import { hasBeenSent, hasDisconnected, onDisconnect } from '../../lib/response/disconnect.js'
import { settled } from '../support/event-loop.js'

function clientOf(req: object, res: object): ClientSide {
  return new ClientSide(req as IncomingMessage, res as ServerResponse)
}

function rig({ closed = false, destroyed = false, hasConnection = true } = {}) {
  const socket = Object.assign(new EventEmitter(), { destroyed })
  const res = Object.assign(new EventEmitter(), { closed, socket: hasConnection ? socket : null })
  const client = clientOf({ socket }, res)
  let gone = 0
  const stop = onDisconnect(client, () => gone++)
  return { socket, res, client, stop, gone: () => gone, listeners: () => [...res.eventNames(), ...socket.eventNames()] }
}

describe('onDisconnect', () => {
  test('calls back once, when the response closes', () => {
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
    test(`calls back asynchronously if ${name} already`, async () => {
      const { client, gone, listeners } = rig(left)
      assert.equal(hasDisconnected(client), true)
      assert.equal(gone(), 0)
      await settled()
      assert.equal(gone(), 1)
      assert.deepEqual(listeners(), [])
    })
  }

  test('calls back if the connection closes while a response waits in the pipeline', () => {
    const { socket, res, gone, listeners } = rig({ hasConnection: false })
    socket.emit('close')
    res.emit('close')
    assert.equal(gone(), 1)
    assert.deepEqual(listeners(), [])
  })

  test('adds one listener per connection for all responses that wait in its pipeline', () => {
    const socket = Object.assign(new EventEmitter(), { destroyed: false })
    const gone: number[] = []
    const stops = Array.from({ length: 12 }, (_, at) => {
      const res = Object.assign(new EventEmitter(), { closed: false, socket: null })
      return onDisconnect(clientOf({ socket }, res), () => gone.push(at))
    })
    assert.equal(socket.listenerCount('close'), 1)
    stops[0]!()
    stops[0]!()
    assert.equal(socket.listenerCount('close'), 1)
    socket.emit('close')
    assert.deepEqual(gone, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert.deepEqual(socket.eventNames(), [])
  })

  test('does not listen on the connection if the response has it, because the response then closes itself', () => {
    const { socket, gone } = rig()
    socket.emit('close')
    assert.equal(gone(), 0)
  })

  test('does not call back after it is stopped', () => {
    const { res, stop, gone, listeners } = rig({ hasConnection: false })
    stop()
    res.emit('close')
    assert.equal(gone(), 0)
    assert.deepEqual(listeners(), [])
  })

  test('does not call back for an earlier disconnect after it is stopped', async () => {
    const { stop, gone } = rig({ closed: true })
    stop()
    await settled()
    assert.equal(gone(), 0)
  })
})

describe('hasBeenSent', () => {
  const goneOut = (res: object, socket: object = { destroyed: false }, httpVersionMajor = 1) =>
    hasBeenSent(clientOf({ socket, httpVersionMajor }, res))

  test('is true for a response that was ended, on an open connection', () => {
    assert.equal(goneOut({ writableEnded: true, writableFinished: true }), true)
    assert.equal(goneOut({ writableEnded: true, writableFinished: false }), true)
    assert.equal(goneOut({ writableEnded: false }), false)
  })

  test('is false if the last bytes were discarded with the connection', () => {
    assert.equal(goneOut({ writableEnded: true, writableFinished: true }, { destroyed: true }), false)
  })

  test('depends on how an HTTP/2 stream was closed, because it is always destroyed', () => {
    const socket = { destroyed: true }
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 0, aborted: false } }, socket, 2), true)
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 8, aborted: false } }, socket, 2), false)
    assert.equal(goneOut({ writableEnded: true, stream: { rstCode: 0, aborted: true } }, socket, 2), false)
    assert.equal(goneOut({ writableEnded: false, stream: { rstCode: 0, aborted: false } }, socket, 2), false)
  })
})

describe('a response that never closes', () => {
  test('is over once it has finished, even if it is of Node, on a connection', async (t) => {
    const socket = new Socket()
    t.after(() => socket.destroy())
    const req = new IncomingMessage(socket)
    const res = new ServerResponse(req)
    Object.defineProperty(res, 'socket', { value: socket })
    let gone = 0
    onDisconnect(clientOf(req, res), () => gone++)
    Object.defineProperty(res, 'writableEnded', { value: true })
    res.emit('finish')
    await settled()
    assert.equal(gone, 1)
  })

  test('is over once it has finished, if it was ended', async () => {
    const { res, gone, listeners } = rig()
    res.emit('finish')
    Object.assign(res, { writableEnded: true })
    assert.equal(gone(), 0)
    await settled()
    assert.equal(gone(), 1)
    assert.deepEqual(listeners(), [])
  })

  test('is not over if it finished because its connection is gone: `close` follows', async () => {
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
