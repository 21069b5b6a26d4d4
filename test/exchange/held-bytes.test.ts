import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeldBytes } from '../../lib/exchange/held-bytes.js'
import { defaultLimits } from '../../lib/options/limits.js'

const held = () => new HeldBytes({ ...defaultLimits, maxHeldBytes: 10 })
const exceeded = { code: 'held_bytes_exceeded' }

describe('the count of held bytes', () => {
  test('is limited to maxHeldBytes over all shares', () => {
    const all = held()
    const [one, other] = [all.share(), all.share()]
    one.add(6)
    other.add(4)
    assert.throws(() => one.add(1), exceeded)
    assert.equal(all.count, 10)
    other.remove(1)
    one.add(1)
    assert.equal(all.count, 10)
  })

  test('at the limit allows adding 0', () => {
    const all = held()
    all.share().add(10)
    all.share().add(0)
    assert.equal(all.count, 10)
  })

  test('is not reduced by more than a share has', () => {
    const all = held()
    const [one, other] = [all.share(), all.share()]
    one.add(3)
    other.add(4)
    one.remove(5)
    assert.equal(all.count, 4)
    one.release()
    assert.equal(all.count, 4)
  })

  test('is reduced by the whole share on release, after which the share cannot grow', () => {
    const all = held()
    const share = all.share()
    share.add(5)
    share.release()
    assert.equal(all.count, 0)
    assert.throws(() => share.add(1), { code: 'aborted' })
    share.release()
    assert.equal(all.count, 0)
  })

  test('includes a share after its release until its work is done', async () => {
    const all = held()
    const share = all.share()
    share.add(5)
    let finish = () => {}
    const working = share.during(() => new Promise((resolve) => (finish = resolve)))
    share.release()
    assert.equal(all.count, 5)
    finish()
    await working
    assert.equal(all.count, 0)
  })

  test('includes a share after its work failed until its release', async () => {
    const all = held()
    const share = all.share()
    share.add(5)
    await assert.rejects(share.during(() => Promise.reject(new Error('no'))))
    assert.equal(all.count, 5)
    share.close()
    assert.equal(all.count, 5)
    share.release()
    assert.equal(all.count, 0)
  })
})
