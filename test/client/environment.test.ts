import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { environment } from '../../lib/client/environment.js'

/** The network as browsers show it to pages. */
class Network extends EventTarget {
  onLine = false
  readonly listeners = new Set<unknown>()

  goOnline(): void {
    this.onLine = true
    this.dispatchEvent(new Event('online'))
  }
}

/** Gives this process the globals of a browser, for one test. */
function asBrowser(t: TestContext): Network {
  const network = new Network()
  const globals: Record<string, unknown> = {
    navigator: network,
    addEventListener: (type: string, listener: () => void) => {
      network.listeners.add(listener)
      network.addEventListener(type, listener)
    },
    removeEventListener: (type: string, listener: () => void) => {
      network.listeners.delete(listener)
      network.removeEventListener(type, listener)
    },
  }
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name)
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : Reflect.deleteProperty(globalThis, name)))
  }
  return network
}

const never = () => new AbortController().signal

describe('the environment', () => {
  test('is never offline without a browser', () => {
    assert.equal(environment.isOffline(), false)
  })

  test('is offline while the browser says so, until its event', async (t) => {
    const network = asBrowser(t)
    assert.equal(environment.isOffline(), true)
    const online = environment.untilOnline(never())
    network.goOnline()
    await online
    assert.equal(environment.isOffline(), false)
    assert.equal(network.listeners.size, 0)
  })

  test('waits no longer than until an abort, and leaves no listener', async (t) => {
    const network = asBrowser(t)
    const leaving = new AbortController()
    const online = environment.untilOnline(leaving.signal)
    assert.equal(network.listeners.size, 1)
    leaving.abort(new Error('left'))
    await assert.rejects(online, /left/)
    assert.equal(network.listeners.size, 0)
    await assert.rejects(environment.untilOnline(leaving.signal), /left/)
  })

  test('sleeps until its timer, or an abort', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const slept = environment.sleep(1000, never())
    t.mock.timers.tick(1000)
    await slept
    const leaving = new AbortController()
    const long = environment.sleep(1_000_000, leaving.signal)
    leaving.abort(new Error('left'))
    await assert.rejects(long, /left/)
  })

  test('has the clock and chance of the machine', () => {
    const earliest = Date.now()
    const now = environment.now()
    assert.ok(now >= earliest && now <= Date.now())
    const chances = new Set(Array.from({ length: 20 }, environment.random))
    assert.ok(chances.size > 1)
    for (const chance of chances) assert.ok(chance >= 0 && chance < 1)
  })
})
