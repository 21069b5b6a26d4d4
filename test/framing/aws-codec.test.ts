import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { lazyCodec } from '../../lib/framing/aws-codec.js'
import { awsEventStreamWith } from '../../lib/framing/aws-event-stream.js'
import { PassThroughFramer } from '../../lib/framing/index.js'

describe('if the codec is not installed', () => {
  test('an AWS stream passes unchanged, and one warning says what to install', () => {
    // A process of its own: the warning comes once, and what is loaded stays loaded.
    const script = `
      const Module = require('node:module')
      const { _resolveFilename: resolve } = Module
      Module._resolveFilename = function (request, ...rest) {
        if (request !== '@smithy/eventstream-codec') return resolve.call(this, request, ...rest)
        throw Object.assign(new Error("Cannot find module '" + request + "'"), { code: 'MODULE_NOT_FOUND' })
      }
      const warnings = []
      process.on('warning', ({ code, message, detail }) => warnings.push({ code, message, detail }))
      const lib = (name) => require(${JSON.stringify(join(__dirname, '../../lib/framing'))} + '/' + name + '.ts')
      const { framingFor } = lib('index')
      const type = 'application/vnd.amazon.eventstream'
      const sse = framingFor('text/event-stream').name
      setImmediate(() => {
        const before = warnings.length
        const framings = [framingFor(type), framingFor(type)].map(String)
        const framer = lib('aws-event-stream').awsEventStream.createFramer(10)
        const out = String(framer.push([Buffer.from('anything, of any length')]))
        setImmediate(() => console.log(JSON.stringify({ sse, before, framings, out, warnings })))
      })`
    const options = ['--no-warnings', '--import', 'tsx', '--eval', script]
    const printed = execFileSync(process.execPath, options, { cwd: join(__dirname, '../..'), encoding: 'utf8' })
    const { warnings, ...seen } = JSON.parse(printed)
    assert.deepEqual(seen, {
      sse: 'sse',
      before: 0,
      framings: ['undefined', 'undefined'],
      out: 'anything, of any length',
    })
    assert.equal(warnings.length, 1)
    assert.equal(warnings[0].code, 'AI_PROXY_NO_EVENTSTREAM_CODEC')
    assert.match(warnings[0].message, /npm install @smithy\/eventstream-codec/)
    assert.match(warnings[0].detail, /Cannot find module/)
  })

  test('the framing reports that it is not available, and throws only on writing', (t) => {
    const emitWarning = t.mock.method(process, 'emitWarning', () => {})
    const framing = awsEventStreamWith(lazyCodec(() => new Error('not there')))
    assert.equal(framing.isAvailable?.(), false)
    assert.ok(framing.createFramer(10) instanceof PassThroughFramer)
    assert.equal(framing.read(Buffer.from('x')), undefined)
    assert.throws(() => framing.write({ data: '{}' }), /@smithy\/eventstream-codec/)
    assert.equal(emitWarning.mock.callCount(), 1)
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
