import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeldBytes } from '../../lib/exchange/held-bytes.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { Blocks } from '../../lib/request/blocks.js'

const KIB = 1024

function rig(maxHeldBytes = 1024 * KIB) {
  const all = new HeldBytes({ ...defaultLimits, maxHeldBytes })
  const share = all.share()
  return { all, share, blocks: new Blocks(share) }
}

/** What is joined, and in how many pieces of work. */
function join(blocks: Blocks): { joined: Buffer; pieces: number } {
  const work = blocks.join()
  for (let pieces = 1; ; pieces++) {
    const { done, value } = work.next()
    if (done) return { joined: value, pieces }
  }
}

describe('a body in blocks', () => {
  test('is the chunk itself if there is only one', () => {
    const { all, blocks } = rig()
    const chunk = Buffer.from('all of it')
    blocks.push(chunk)
    assert.equal(all.count, chunk.length)
    assert.equal(join(blocks).joined, chunk)
  })

  test('contains the bytes received, however they were split', () => {
    const bytes = Buffer.from(Array.from({ length: 300 * KIB }, (_, at) => at % 251))
    for (const size of [1, 7, 16 * KIB, 64 * KIB + 1, 200 * KIB]) {
      const { all, blocks } = rig()
      for (let at = 0; at < bytes.length; at += size) blocks.push(bytes.subarray(at, at + size))
      assert.equal(blocks.size, bytes.length)
      assert.ok(join(blocks).joined.equals(bytes), `${size}`)
      assert.equal(all.count, bytes.length)
    }
  })

  test('takes memory for its bytes, not per chunk', () => {
    const { all, blocks } = rig()
    const chunk = Buffer.from('x')
    for (let n = 0; n < 100 * KIB; n++) {
      blocks.push(chunk)
      assert.ok(all.count <= n + 1 + 64 * KIB)
    }
    assert.equal(all.count, 16 * KIB + 2 * 64 * KIB)
  })

  test('is joined one block at a time if it is long', () => {
    const { blocks } = rig()
    for (let n = 0; n < 10; n++) blocks.push(Buffer.alloc(64 * KIB))
    assert.equal(join(blocks).pieces, 12)
  })

  test('is rejected beyond maxHeldBytes; the count for its chunks is released', () => {
    const { all, share, blocks } = rig(150 * KIB)
    blocks.push(Buffer.alloc(10))
    blocks.push(Buffer.alloc(80 * KIB))
    assert.throws(() => blocks.push(Buffer.alloc(80 * KIB)), { code: 'held_bytes_exceeded', status: 503 })
    share.release()
    assert.equal(all.count, 0)
  })

  test('can be released', () => {
    const { all, blocks } = rig()
    blocks.push(Buffer.alloc(10))
    blocks.push(Buffer.alloc(10))
    blocks.release()
    assert.deepEqual([all.count, blocks.size], [0, 0])
  })
})

describe('the count of held bytes', () => {
  test('is bounded over all exchanges', () => {
    const all = new HeldBytes({ ...defaultLimits, maxHeldBytes: 10 })
    const [one, other] = [all.share(), all.share()]
    one.add(6)
    assert.throws(() => other.add(5), { code: 'held_bytes_exceeded', headers: { 'retry-after': '1' } })
    other.add(4)
    one.release()
    one.release()
    assert.equal(all.count, 4)
    other.remove(1)
    assert.equal(all.count, 3)
  })

  test('stays 0 once an exchange is over', () => {
    const all = new HeldBytes(defaultLimits)
    const share = all.share()
    share.release()
    assert.throws(() => share.add(1), { code: 'aborted' })
    share.remove(1)
    assert.equal(all.count, 0)
  })

  test('lasts after the exchange is over until it is released, and cannot grow', () => {
    const all = new HeldBytes(defaultLimits)
    const share = all.share()
    share.add(5)
    share.close()
    assert.throws(() => share.add(1), { code: 'aborted' })
    assert.equal(all.count, 5)
    share.remove(2)
    assert.equal(all.count, 3)
    share.release()
    assert.equal(all.count, 0)
  })

  test('lasts as long as work holds it, even if it was released meanwhile', async () => {
    const all = new HeldBytes(defaultLimits)
    const share = all.share()
    share.add(5)
    let finish = () => {}
    const work = share.during(() => new Promise<void>((resolve) => (finish = resolve)))
    share.release()
    assert.equal(all.count, 5)
    finish()
    await work
    assert.equal(all.count, 0)
  })

  test('lasts after work for an exchange that continues', async () => {
    const all = new HeldBytes(defaultLimits)
    const share = all.share()
    share.add(5)
    await share.during(async () => {})
    assert.equal(all.count, 5)
    const failing = share.during(async () => {
      share.close()
      throw new Error('it fails')
    })
    await assert.rejects(failing, /it fails/)
    assert.equal(all.count, 0)
  })
})
