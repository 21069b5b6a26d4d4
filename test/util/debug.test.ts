import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import createDebug from 'debug'
import { debug } from '../../lib/util/debug.js'

function logged(t: TestContext): string[] {
  const lines: string[] = []
  const { log } = createDebug
  createDebug.log = (line: string) => lines.push(line)
  createDebug.enable('ai-proxy:*')
  t.after(() => {
    createDebug.log = log
    createDebug.disable()
  })
  return lines
}

const unshowable: [name: string, make: () => unknown][] = [
  [
    'an error whose inspection throws',
    () =>
      Object.assign(new Error('evil'), {
        [inspect.custom]() {
          throw new Error('not to be shown')
        },
      }),
  ],
  [
    'a proxy whose every trap throws',
    () => {
      const refuse = () => {
        throw new Error('not to be touched')
      }
      return new Proxy({}, { get: refuse, getPrototypeOf: refuse, ownKeys: refuse })
    },
  ],
  [
    'an error with a stack that throws',
    () =>
      Object.defineProperty(new Error('evil'), 'stack', {
        get() {
          throw new Error('no stack')
        },
      }),
  ],
]

describe('a value that cannot be inspected', () => {
  for (const [name, make] of unshowable) {
    for (const format of ['%O', '%o', '%s', '%d']) {
      test(`${format} of ${name} throws nothing, and the rest of the line is logged`, (t) => {
        const lines = logged(t)
        debug.request(`%s onFinish threw: ${format}`, 'id', make())
        assert.equal(lines.length, 1)
        assert.match(lines[0]!, /onFinish threw/)
      })
    }
  }
})

test('inspects nothing if logging is off', () => {
  let looks = 0
  debug.stream('%O', { [inspect.custom]: () => String(looks++) })
  assert.deepEqual([looks, debug.stream.enabled], [0, false])
})
