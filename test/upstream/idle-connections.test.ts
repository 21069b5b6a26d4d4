import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { IdleConnections } from '../../lib/upstream/idle-connections.js'

/** A pool, and a clock that stands still. */
function setUp(t: TestContext) {
  let now = 1_000_000
  t.mock.method(performance, 'now', () => now)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const timers = t.mock.method(globalThis, 'setTimeout')
  const pool: Socket[] = []
  const idle = new IdleConnections({ freeSockets: { name: pool } })
  const pass = (ms: number) => {
    now += ms
    t.mock.timers.tick(ms)
  }
  /** A connection that becomes idle now. */
  const add = (hint?: string): Socket => {
    const socket = Object.assign(new EventEmitter(), {
      destroyed: false,
      destroy() {
        socket.destroyed = true
        pool.splice(pool.indexOf(socket as unknown as Socket), 1)
      },
    })
    pool.push(socket as unknown as Socket)
    idle.add(socket as unknown as Socket, { headers: { 'keep-alive': hint } } as unknown as IncomingMessage)
    return socket as unknown as Socket
  }
  return { pool, idle, pass, add, timers }
}

describe('idle connections', () => {
  test('are closed after 30 seconds, each in its time', (t) => {
    const { pass, add } = setUp(t)
    const one = add()
    pass(10_000)
    const other = add()
    pass(19_999)
    assert.deepEqual([one.destroyed, other.destroyed], [false, false])
    pass(1)
    assert.deepEqual([one.destroyed, other.destroyed], [true, false])
    pass(10_000)
    assert.equal(other.destroyed, true)
  })

  test('are closed a second before their provider closes them', (t) => {
    const { pass, add } = setUp(t)
    const long = add()
    const short = add('timeout=5, max=100')
    pass(3999)
    assert.equal(short.destroyed, false)
    pass(1)
    assert.deepEqual([short.destroyed, long.destroyed], [true, false])
    for (const strange of ['', 'max=5', 'timeout=soon', 'timeout=-1']) {
      const socket = add(strange)
      pass(29_999)
      assert.equal(socket.destroyed, false, strange)
      pass(1001)
      assert.equal(socket.destroyed, true, strange)
    }
  })

  test('are not closed while they are in use, and count anew after that', (t) => {
    const { pool, idle, pass, add } = setUp(t)
    const socket = add()
    pass(29_000)
    pool.length = 0
    pass(5000)
    pool.push(socket)
    idle.add(socket, undefined)
    pass(29_999)
    assert.equal(socket.destroyed, false)
    pass(1)
    assert.equal(socket.destroyed, true)
  })

  test('keep nothing alive of the request that set their timer', (t) => {
    const { pass, add } = setUp(t)
    const storage = new AsyncLocalStorage<string>()
    const contexts: (string | undefined)[] = []
    const { setTimeout } = globalThis
    t.mock.method(globalThis, 'setTimeout', ((...args: Parameters<typeof setTimeout>) => {
      contexts.push(storage.getStore())
      return setTimeout(...args)
    }) as typeof setTimeout)
    storage.run('one', () => add())
    storage.run('other', () => add('timeout=5'))
    pass(4000)
    pass(26_000)
    assert.deepEqual(contexts, [undefined, undefined, undefined])
  })

  test('share one timer, which runs at most once a second and ends with the last of them', (t) => {
    const { pass, add, timers } = setUp(t)
    const sockets = Array.from({ length: 100 }, () => {
      pass(10)
      return add()
    })
    assert.equal(timers.mock.callCount(), 1)
    pass(60_000)
    assert.equal(
      sockets.every(({ destroyed }) => destroyed),
      true,
    )
    assert.ok(timers.mock.callCount() <= 3, `${timers.mock.callCount()}`)
    const begun = timers.mock.callCount()
    pass(600_000)
    assert.equal(timers.mock.callCount(), begun)
  })
})
