import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createDeflateRaw,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from 'node:zlib'
import { decodeBody, decoderFor } from '../../lib/response/decode.js'
import { settled } from '../support/event-loop.js'

/** A response that bytes are written to. */
function responseWith(encoding?: string): PassThrough & IncomingMessage {
  const headers = encoding === undefined ? {} : { 'content-encoding': encoding }
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage
}

describe('decoderFor', () => {
  for (const encoding of ['gzip', 'x-gzip', 'deflate', 'br', 'GZIP', ' gzip ']) {
    test(`${JSON.stringify(encoding)} has a decoder`, () => assert.ok(decoderFor(responseWith(encoding), true)))
  }
  for (const encoding of [undefined, '', 'identity', 'lzma', 'constructor', '__proto__']) {
    test(`${JSON.stringify(encoding)} has no decoder`, () =>
      assert.equal(decoderFor(responseWith(encoding), true), undefined))
  }
  test('a response without a body has no decoder', () =>
    assert.equal(decoderFor(responseWith('gzip'), false), undefined))
})

describe('decoded', () => {
  const flush = constants.Z_SYNC_FLUSH
  const compressors = {
    gzip: () => createGzip({ flush }),
    deflate: () => createDeflate({ flush }),
    'deflate, raw': () => createDeflateRaw({ flush }),
    br: () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
  }
  for (const [encoding, compressor] of Object.entries(compressors)) {
    test(`${encoding}: each event is decoded as soon as it arrives`, async () => {
      const response = responseWith(encoding.replace(', raw', ''))
      const source = decodeBody(response, decoderFor(response, true)!())
      const provider = compressor()
      provider.pipe(response)
      for (const event of ['data: a\n\n', 'data: b\n\n', 'data: c\n\n']) {
        provider.write(event)
        await once(source, 'readable')
        assert.equal(String(source.read()), event)
      }
      const ended = once(source, 'end')
      provider.end()
      source.resume()
      await ended
    })
  }

  for (const compressed of [deflateSync('data: a\n\n'), deflateRawSync('data: a\n\n')]) {
    test(`deflate in single bytes: ${compressed.toString('hex')}`, async () => {
      const response = responseWith('deflate')
      const source = decodeBody(response, decoderFor(response, true)!())
      for (const byte of compressed) response.write(Buffer.of(byte))
      response.end()
      assert.equal(Buffer.concat(await source.toArray()).toString(), 'data: a\n\n')
    })

    for (const bytes of [1, 2, 5]) {
      test(`deflate that ends after ${bytes} bytes is an error: ${compressed.toString('hex')}`, async () => {
        const response = responseWith('deflate')
        const source = decodeBody(response, decoderFor(response, true)!())
        response.end(compressed.subarray(0, bytes))
        await assert.rejects(source.toArray())
      })
    }
  }

  test('a truncated body is an error, not an end', async () => {
    const response = responseWith('gzip')
    const source = decodeBody(response, decoderFor(response, true)!())
    let ended = false
    source.on('end', () => {
      ended = true
    })
    source.resume()
    const failed = once(source, 'error')
    response.end(gzipSync('data: a\n\n'.repeat(100)).subarray(0, 25))
    const [error] = await failed
    assert.ok(error instanceof Error)
    assert.equal(ended, false)
  })

  test('a body that breaks off destroys the decoder with an error', async () => {
    const response = responseWith('gzip')
    const source = decodeBody(response, decoderFor(response, true)!())
    const failed = once(source, 'error')
    response.destroy(new Error('socket hang up'))
    const [error] = await failed
    assert.match(error.message, /socket hang up/)
    assert.equal(source.destroyed, true)
  })

  test('a body that broke off before anybody read it is an error', async () => {
    const response = responseWith('gzip')
    response.write(gzipSync('data: a\n\n').subarray(0, -8))
    response.on('error', () => {}).destroy(new Error('socket hang up'))
    await new Promise((resolve) => response.once('close', resolve))
    const source = decodeBody(response, decoderFor(response, true)!())
    const [error] = await once(source, 'error')
    assert.match(error.message, /socket hang up/)
  })

  for (const [encoding, compress] of Object.entries({ gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync })) {
    test(`${encoding}: the bytes received before a break are decoded first`, async () => {
      const response = responseWith(encoding)
      const source = decodeBody(response, decoderFor(response, true)!())
      const failed = once(source, 'error')
      const events = 'data: a\n\n'.repeat(20_000)
      response.write(compress(events))
      response.destroy(new Error('socket hang up'))
      let text = ''
      source.on('readable', () => {
        for (let chunk = source.read(); chunk !== null; chunk = source.read()) text += chunk
      })
      const [error] = await failed
      for (let chunk = source.read(); chunk !== null; chunk = source.read()) text += chunk
      assert.match(error.message, /socket hang up/)
      assert.equal(text, events)
    })
  }

  test('destroying the decoder destroys the response', async () => {
    const response = responseWith('gzip')
    const source = decodeBody(response, decoderFor(response, true)!())
    source.on('error', () => {})
    source.destroy()
    await settled()
    assert.equal(response.destroyed, true)
  })
})
