import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, test } from 'node:test'
import { EventLoopDelay } from '../../lib/metrics/event-loop-delay.js'

/** Node's histogram; its figures are set by hand. */
function fakeMonitor() {
  const log: string[] = []
  const figures = { p50: 0, p99: 0, max: 0 }
  const monitor = Object.assign(Object.create(monitorEventLoopDelay()), {
    percentile: (percentile: 50 | 99) => figures[`p${percentile}`],
    enable: () => log.push('enable'),
    disable: () => log.push('disable'),
    reset: () => log.push('reset'),
  })
  Object.defineProperty(monitor, 'max', { get: () => figures.max })
  return { monitor, figures, log }
}

describe('delay of the event loop', () => {
  test('is what Node measured beyond the 10 ms of its timer, in seconds', () => {
    const { monitor, figures } = fakeMonitor()
    const delay = new EventLoopDelay(monitor)
    Object.assign(figures, { p50: 11e6, p99: 60e6, max: 1010e6 })
    assert.deepEqual(delay.readAndReset(), { median: 0.001, p99: 0.05, max: 1 })
  })

  test('is 0 if nothing was measured, although Node reports 511 ns', () => {
    const { monitor, figures } = fakeMonitor()
    Object.assign(figures, { p50: 511, p99: 511, max: 0 })
    assert.deepEqual(new EventLoopDelay(monitor).readAndReset(), { median: 0, p99: 0, max: 0 })
  })

  test('is reset each time that it is read, until it is closed', () => {
    const { monitor, log } = fakeMonitor()
    const delay = new EventLoopDelay(monitor)
    assert.deepEqual(log, [])
    delay.start()
    delay.readAndReset()
    delay.readAndReset()
    delay.close()
    assert.deepEqual(log, ['enable', 'reset', 'reset', 'disable'])
  })
})
