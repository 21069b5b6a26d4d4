import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameResource } from '../../lib/client/stream-handle.js'

test('URLs of one resource differ in query and fragment alone, and one may be relative', () => {
  const at = 'https://app.test/ai/-/streams/x'
  for (const same of [at, `${at}?after=3`, `${at}#there`, '/ai/-/streams/x', '/ai/-/streams/x?after=1']) {
    assert.equal(isSameResource(same, `${at}?after=7`), true, same)
  }
  for (const other of ['https://other.test/ai/-/streams/x', '/ai/-/streams/y', `${at}/`]) {
    assert.equal(isSameResource(other, at), false, other)
  }
  assert.equal(isSameResource('/a?x', '/a?y'), true)
})
