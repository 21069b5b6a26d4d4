import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { lazyCodec } from '../../lib/framing/aws-codec.js'
import { awsEventStreamWith } from '../../lib/framing/aws-event-stream.js'
import { PassThroughFramer } from '../../lib/framing/index.js'

describe('if the codec is not installed', () => {
  test('an AWS stream passes unchanged, and the debug log says why', () => {
    // A process of its own: what is loaded stays loaded.
    const script = `
      const Module = require('node:module')
      const { _resolveFilename: resolve } = Module
      Module._resolveFilename = function (request, ...rest) {
        if (request !== '@smithy/eventstream-codec') return resolve.call(this, request, ...rest)
        throw Object.assign(new Error("Cannot find module '" + request + "'"), { code: 'MODULE_NOT_FOUND' })
      }
      const lines = []
      const debug = require('debug')
      debug.log = (...args) => lines.push(require('node:util').format(...args))
      debug.enable('ai-proxy:*')
      const lib = (name) => require(${JSON.stringify(join(__dirname, '../../lib/framing'))} + '/' + name + '.ts')
      const { framingFor, lacksAwsCodec } = lib('index')
      const type = 'application/vnd.amazon.eventstream'
      const sse = framingFor('text/event-stream').name
      const before = lines.length
      const framings = [framingFor(type), framingFor(type)].map(String)
      const lacking = [type, 'text/event-stream', undefined].map((each) => lacksAwsCodec(each))
      const framer = lib('aws-event-stream').awsEventStream.createFramer(10)
      const out = String(framer.push([Buffer.from('anything, of any length')]))
      console.log(JSON.stringify({ sse, before, framings, lacking, out, lines }))`
    const options = ['--no-warnings', '--import', 'tsx', '--eval', script]
    const printed = execFileSync(process.execPath, options, { cwd: join(__dirname, '../..'), encoding: 'utf8' })
    const { lines, ...seen } = JSON.parse(printed)
    assert.deepEqual(seen, {
      sse: 'sse',
      before: 0,
      framings: ['undefined', 'undefined'],
      lacking: [true, false, false],
      out: 'anything, of any length',
    })
    assert.equal(lines.length, 1)
    assert.match(lines[0], /@smithy\/eventstream-codec cannot be loaded: Cannot find module/)
  })

  test('the framing reports that it is not available, and throws only on writing', () => {
    const framing = awsEventStreamWith(lazyCodec(() => new Error('not there')))
    assert.equal(framing.isAvailable?.(), false)
    assert.ok(framing.createFramer(10) instanceof PassThroughFramer)
    assert.equal(framing.read(Buffer.from('x')), undefined)
    assert.throws(() => framing.write({ data: '{}' }), /@smithy\/eventstream-codec/)
  })
})

test('the codec is loaded once, on first use', () => {
  let loaded = 0
  class EventStreamCodec {
    encode = () => new Uint8Array()
    decode = () => ({ headers: {}, body: new Uint8Array() })
  }
  const codec = lazyCodec(() => {
    loaded++
    return { EventStreamCodec }
  })
  assert.equal(loaded, 0)
  const first = codec()
  assert.ok(first)
  assert.equal(codec(), first)
  assert.equal(loaded, 1)
})
