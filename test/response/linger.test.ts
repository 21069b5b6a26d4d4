import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { isUnfinished, Lingering, mayBeLong } from '../../lib/response/linger.js'
import { settled } from '../support/event-loop.js'
import { ManualTimers } from '../support/manual-timers.js'

const KIB = 1024

function rig() {
  const body = new PassThrough({ highWaterMark: 64 * KIB })
  const timers = new ManualTimers()
  const over: boolean[] = []
  const lingering = new Lingering(
    body as unknown as IncomingMessage,
    (isWhole) => over.push(isWhole),
    new Deadlines(timers),
  )
  lingering.limitTime()
  return { body, timers, over }
}

describe('the rest of a rejected request', () => {
  test('is discarded to its end', async () => {
    const { body, timers, over } = rig()
    body.write('x'.repeat(1000))
    body.end('y')
    await settled()
    assert.deepEqual(over, [true])
    timers.advance(2000)
    assert.equal(over.length, 1)
    for (const name of ['data', 'end', 'close']) assert.ok(body.listenerCount(name) <= 1, name)
  })

  test('is read for at most 1 MiB and one chunk', async () => {
    const { body, over } = rig()
    let taken = 0
    body.on('data', (chunk: Buffer) => {
      taken += chunk.length
    })
    for (let n = 0; n < 64 && body.write(Buffer.alloc(64 * KIB)); n++) await settled()
    for (let n = 0; n < 64; n++) {
      body.write(Buffer.alloc(64 * KIB))
      await settled()
    }
    assert.ok(taken > 1024 * KIB && taken <= 1024 * KIB + 64 * KIB, `${taken}`)
    assert.equal(body.isPaused(), true)
    assert.deepEqual(over, [])
  })

  test('has one second to end', async () => {
    const { body, timers, over } = rig()
    body.write('x')
    await settled()
    timers.advance(999)
    assert.deepEqual(over, [])
    timers.advance(1)
    assert.deepEqual(over, [false])
  })

  test('ends when the client disconnects', async () => {
    const { body, timers, over } = rig()
    body.destroy()
    await settled()
    assert.deepEqual(over, [false])
    timers.advance(2000)
    assert.equal(over.length, 1)
  })

  test('may be long if its content-length says so or is missing', () => {
    const long = (headers: Record<string, string>) => mayBeLong({ headers } as unknown as IncomingMessage)
    assert.equal(long({ 'content-length': String(1024 * KIB) }), false)
    assert.equal(long({ 'content-length': String(1024 * KIB + 1) }), true)
    assert.equal(long({ 'transfer-encoding': 'chunked' }), true)
  })

  test('is empty if the request is complete, or uses HTTP/2', () => {
    const unfinished = (req: object) =>
      isUnfinished({ httpVersionMajor: 1, complete: false, ...req } as IncomingMessage)
    assert.equal(unfinished({}), true)
    assert.equal(unfinished({ complete: true }), false)
    assert.equal(unfinished({ destroyed: true }), false)
    assert.equal(unfinished({ httpVersionMajor: 2 }), false)
    assert.equal(isUnfinished(undefined), false)
  })
})
