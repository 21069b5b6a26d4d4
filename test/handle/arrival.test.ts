import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrival } from '../../lib/handle/arrival.js'

test('a request whose client leaves while it waits for its turn is not begun', () => {
  const asked: string[] = []
  const get = (of: object, name: string) => {
    asked.push(name)
    return Reflect.get(of, name)
  }
  const named = (of: object) => new Proxy(of, { get }) as never
  new Arrival(named({ isSettled: true }), named({}), named({})).runTurn()
  assert.deepEqual(asked, ['asyncContext', 'isSettled'])
})
