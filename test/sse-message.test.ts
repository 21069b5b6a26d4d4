import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSse } from '../lib/sse-message.js'

describe('readSse', () => {
  test('reads name, id and data', () => {
    assert.deepEqual(readSse(Buffer.from('id: 1\nevent: x\ndata: a\ndata: b\n\n')), {
      id: '1',
      event: 'x',
      data: 'a\nb',
    })
  })
  test('a comment is no event', () => assert.equal(readSse(Buffer.from(': x\n\n')), undefined))
})
