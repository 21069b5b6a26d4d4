import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isDeepStrictEqual, promisify } from 'node:util'
import { shareHiddenClasses } from '../../lib/util/hidden-class.js'

const run = promisify(execFile)
const MAX_PROCESSES = 5

/** What requests and responses share in a new process. */
async function seenInProcess(): Promise<unknown> {
  const script = join(__dirname, 'hidden-class-process.cjs')
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--allow-natives-syntax', script])
  return JSON.parse(stdout)
}

/** A request and its response, with the prototypes that Express gives them. */
function exchanged() {
  const req = new IncomingMessage(new Socket())
  const res = new ServerResponse(req)
  Object.setPrototypeOf(req, Object.create(IncomingMessage.prototype))
  Object.setPrototypeOf(res, Object.create(ServerResponse.prototype))
  return { req, res }
}

const descriptorsOf = (object: object) => new Map(Object.entries(Object.getOwnPropertyDescriptors(object)))

describe('requests and responses of Express', () => {
  test('share hidden classes behind the middleware, also when properties have been added', async () => {
    const shared = { requests: true, responses: true }
    let seen: unknown
    // In a process in ten they do not. Without the middleware's help, they do in none.
    for (let process = 0; process < MAX_PROCESSES && !isDeepStrictEqual(seen, shared); process++)
      seen = await seenInProcess()
    assert.deepEqual(seen, shared)
  })

  test('keep all their properties as they are', () => {
    const { req, res } = exchanged()
    Object.defineProperty(req, 'httpVersion', { value: '1.1', enumerable: false, writable: false })
    Object.defineProperty(res, 'sendDate', { get: () => true, configurable: true })
    const before = [req, res].map(descriptorsOf)
    shareHiddenClasses(req, res)
    assert.deepEqual([req, res].map(descriptorsOf), before)
  })

  test('stay as they are if they cannot be extended, lack the property, or are proxies', () => {
    for (const change of [Object.preventExtensions, Object.seal, Object.freeze, removeBoth]) {
      const { req, res } = exchanged()
      change(req)
      change(res)
      const keys = [req, res].map(Object.keys)
      shareHiddenClasses(req, res)
      assert.deepEqual([req, res].map(Object.keys), keys)
    }
    const { req, res } = exchanged()
    const untouched = { deleteProperty: () => assert.fail('it was touched') }
    shareHiddenClasses(new Proxy(req, untouched), new Proxy(res, untouched))
  })
})

function removeBoth(object: object): void {
  Reflect.deleteProperty(object, 'httpVersion')
  Reflect.deleteProperty(object, 'sendDate')
}

test('requests that no framework has changed keep their order of properties', () => {
  const req = new IncomingMessage(new Socket())
  const res = new ServerResponse(req)
  const keys = [req, res].map(Object.keys)
  shareHiddenClasses(req, res)
  assert.deepEqual([req, res].map(Object.keys), keys)
})
