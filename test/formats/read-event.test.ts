import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readEvent } from '../../lib/formats/read-event.js'

describe('readEvent', () => {
  test('reads name, id and data', () => {
    assert.deepEqual(readEvent(Buffer.from('id: 1\nevent: x\ndata: a\ndata: b\n\n')), {
      id: '1',
      event: 'x',
      data: 'a\nb',
    })
  })
  test('a comment is no event', () => assert.equal(readEvent(Buffer.from(': x\n\n')), undefined))
})
