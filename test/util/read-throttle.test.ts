import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { ReadThrottle } from '../../lib/util/read-throttle.js'

function rig(httpVersionMajor = 1) {
  const log: string[] = []
  const deferred: (() => void)[] = []
  const socket = { pause: () => log.push('pause'), resume: () => log.push('resume') }
  const brake = new ReadThrottle({ socket, httpVersionMajor } as unknown as IncomingMessage, (run) =>
    deferred.push(run),
  )
  const count = (chunks: number) => {
    for (let n = 0; n < chunks; n++) brake.count()
  }
  return { log, deferred, count }
}

test('after a thousand chunks, the connection is paused until the event loop has gone round', () => {
  const { log, deferred, count } = rig()
  count(999)
  assert.deepEqual(log, [])
  count(1)
  assert.deepEqual(log, ['pause'])
  // What one read of the socket has brought still comes.
  count(10_000)
  assert.deepEqual([log, deferred.length], [['pause'], 1])
  deferred[0]!()
  count(1000)
  assert.deepEqual([log, deferred.length], [['pause', 'resume', 'pause'], 2])
})

test('HTTP/2 is not throttled, because other requests share the connection', () => {
  const { log, count } = rig(2)
  count(5000)
  assert.deepEqual(log, [])
})
