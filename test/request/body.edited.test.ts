import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import express from 'express'
import { defaultLimits } from '../../lib/options/limits.js'
import { rejectAmbiguousFields } from '../../lib/request/ambiguous.js'
import { type RequestBody, readBody } from '../../lib/request/body.js'
import { withRequest } from '../support/loopback.js'

const KIB = 1024
const JSON_TYPE = 'application/json'

interface Given {
  headers?: Record<string, string>
  maxRequestBytes?: number
  isEdited?: boolean
  takesJson?: boolean
  maxHeldBytes?: number
  /** A body parser that comes before. */
  parser?: express.RequestHandler
}

/** What `readBody` makes of a request whose body may be edited. */
async function read(body: string | Buffer, given: Given = {}): Promise<RequestBody & { counted: number }> {
  const { headers = {}, isEdited = true, takesJson, parser } = given
  const { maxRequestBytes = defaultLimits.maxRequestBytes, maxHeldBytes = defaultLimits.maxHeldBytes } = given
  const sent = { headers: { 'content-type': JSON_TYPE, ...headers } }
  return withRequest(
    sent,
    (client) => client.end(body),
    async ({ req, res }) => {
      if (parser) await new Promise<void>((resolve) => parser(req as never, res as never, () => resolve()))
      let counted = 0
      const result = await readBody(
        req,
        { ...defaultLimits, maxRequestBytes, maxHeldBytes },
        {
          onBytes: (count) => {
            counted += count
          },
          isEdited,
          ...(takesJson !== undefined && { takesJson }),
        },
      )
      return { ...result, counted }
    },
  )
}

const textOf = ({ content }: RequestBody) => {
  assert.ok(Buffer.isBuffer(content))
  return content.toString()
}

/** JSON of so many bytes, with a field that is not among those that are looked for. */
function large(bytes: number): string {
  const around = '{"model":"m","x":1,"pad":""}'
  return around.replace('""', `"${'x'.repeat(bytes - around.length)}"`)
}

const nested = (depth: number, bytes: number) => {
  const value = '['.repeat(depth - 1) + ']'.repeat(depth - 1)
  return `{"x":${value},"pad":"${'x'.repeat(Math.max(0, bytes - 2 * depth - 14))}"}`
}

describe('a body that may be edited', () => {
  test('keeps the client’s bytes if it is not edited', async () => {
    const sent = '{ "model":"m", "n":1.0 }'
    const body = await read(sent)
    assert.equal(textOf(body), sent)
    assert.deepEqual(body.json, { model: 'm', n: 1 })
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': String(sent.length) })
  })

  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const) {
    test(`is forwarded decompressed: ${encoding}`, async () => {
      const sent = '{"model":"größe"}'
      const compressed = compress(sent)
      const body = await read(compressed, { headers: { 'content-encoding': encoding } })
      assert.equal(textOf(body), sent)
      assert.deepEqual(body.json, { model: 'größe' })
      const length = String(Buffer.byteLength(sent))
      assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': length })
      assert.equal(body.counted, compressed.length, 'what came in is what counts')
    })
  }

  test('may not decompress to more than maxRequestBytes', async () => {
    const bomb = gzipSync(`"${' '.repeat(100_000)}"`)
    await assert.rejects(read(bomb, { headers: { 'content-encoding': 'gzip' }, maxRequestBytes: 5000 }), {
      code: 'request_too_large',
    })
  })

  test('may not decompress to more than maxDecodedRequestBytes, which bounds nothing else', async () => {
    const text = large(9 * 1024 * KIB)
    const headers = { 'content-encoding': 'gzip' }
    await assert.rejects(read(gzipSync(text), { headers }), { code: 'decoded_request_too_large', status: 413 })
    assert.equal(textOf(await read(text)), text)
  })

  for (const encoding of ['lzma', 'gzip, br']) {
    test(`is rejected if it cannot be decoded: ${encoding}`, async () => {
      const headers = { 'content-encoding': encoding }
      await assert.rejects(read('{}', { headers }), { code: 'unsupported_media_type', status: 415 })
    })
  }

  test('has the positions of its fields', async () => {
    const text = '{"model":"m", "x":[1]}'
    const { spans } = await read(text)
    const shown = [...(spans ?? [])].map(([name, { start, end }]) => [name, text.slice(start, end)])
    assert.deepEqual(shown, [
      ['model', '"m"'],
      ['x', '[1]'],
    ])
  })

  test('is decoded next to its original bytes if it is not edited', async () => {
    const sent = '{"model":"m"}'
    const compressed = gzipSync(sent)
    const body = await read(compressed, { headers: { 'content-encoding': 'gzip' }, isEdited: false })
    assert.ok(Buffer.isBuffer(body.content) && body.content.equals(compressed))
    assert.equal(body.decoded?.toString(), sent)
    assert.equal(body.headers['content-encoding'], 'gzip')
    assert.equal('decoded' in (await read(sent, { isEdited: false })), false)
  })

  test('is parsed at any size', async () => {
    for (const bytes of [256 * KIB, 256 * KIB + 1, 1024 * KIB]) {
      const text = large(bytes)
      const { json } = await read(text)
      assert.deepEqual(json, JSON.parse(text))
    }
  })

  test('is only scanned above 256 KiB if it is not edited', async () => {
    const { json } = await read(large(256 * KIB + 1), { isEdited: false })
    assert.deepEqual({ ...(json as object) }, { model: 'm' })
    const whole = await read(large(256 * KIB), { isEdited: false })
    assert.deepEqual(Object.keys(whole.json as object), ['model', 'x', 'pad'])
  })

  test('is rejected above 256 KiB as well if it is not JSON', async () => {
    await assert.rejects(read(`${large(300 * KIB)}x`), { code: 'invalid_request', message: /not valid JSON/ })
  })

  test('keeps its byte order mark if it is not edited', async () => {
    const body = await read('\uFEFF{"a":1}')
    assert.deepEqual([textOf(body), body.json], ['\uFEFF{"a":1}', { a: 1 }])
  })

  test('is rejected with more than 1,000 fields', async () => {
    const fields = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, 1])))
    assert.equal(Object.keys((await read(fields(1000))).json as object).length, 1000)
    await assert.rejects(read(fields(1001)), { code: 'invalid_request', message: /more than 1000 fields/ })
  })

  test('is rejected with a name that is too long, of any field and of those that are looked into', async () => {
    const tooLong = { code: 'invalid_request', message: /a name that is too long/ }
    const named = (length: number) => `{"model":"m","${'x'.repeat(length)}":1}`
    assert.ok(await read(named(4096)))
    await assert.rejects(read(named(4097)), tooLong)
    const within = Buffer.from(`{"model":"m","options":${named(4097)}}`)
    assert.ok(await read(within))
    assert.doesNotThrow(() => rejectAmbiguousFields(within, [['options']]))
    assert.throws(() => rejectAmbiguousFields(within, [['options', 'seed']]), tooLong)
  })

  test('is rejected with too many values; strings may contain anything', async () => {
    const list = (unit: string, count: number) => `{"x":[${Array(count).fill(unit).join()}]}`
    assert.ok(await read(list('7', 799_969)))
    assert.ok(await read(list('{}', 90_905)))
    const tooMany = { code: 'invalid_request', message: /more values/ }
    for (const text of [list('7', 799_970), list('{}', 90_906), list('[]', 90_906)]) {
      await assert.rejects(read(text), tooMany)
      assert.ok(await read(text, { isEdited: false }))
    }
    assert.ok(await read(JSON.stringify({ x: ',[{'.repeat(400_000), y: '\\",'.repeat(400_000) })))
  })

  test('passes unread if it is an upload', async () => {
    const type = 'multipart/form-data; boundary=x'
    const { content, json, headers } = await read('hello', { headers: { 'content-type': type } })
    assert.ok(!Buffer.isBuffer(content) && content !== undefined)
    assert.deepEqual([json, headers['content-type']], [undefined, type])
  })

  test('is read as JSON whatever its content type, as some providers do, and rejected if it is not', async () => {
    const headers = { 'content-type': 'text/plain' }
    assert.deepEqual((await read('{"model":"m"}', { headers })).json, { model: 'm' })
    await assert.rejects(read('hello', { headers }), { code: 'invalid_request' })
  })

  for (const type of ['application/octet-stream', 'audio/mpeg']) {
    test(`is read at an endpoint for JSON, whatever its type says: ${type}`, async () => {
      const body = await read('{"model":"m"}', { headers: { 'content-type': type } })
      assert.deepEqual(body.json, { model: 'm' })
    })
  }

  test('is not called malformed if it is decompressed while too much is held', async () => {
    const sent = gzipSync(large(200_000))
    const failure = { code: 'held_bytes_exceeded', status: 503 }
    await assert.rejects(read(sent, { headers: { 'content-encoding': 'gzip' }, maxHeldBytes: 100_000 }), failure)
  })

  for (const type of ['application/octet-stream', 'audio/mpeg', 'multipart/form-data; boundary=x']) {
    test(`passes unread if the endpoint takes other types than JSON: ${type}`, async () => {
      const { content, json, headers } = await read('hello', { headers: { 'content-type': type }, takesJson: false })
      assert.ok(!Buffer.isBuffer(content) && content !== undefined)
      assert.deepEqual([json, headers['content-type']], [undefined, type])
    })
  }

  for (const type of ['application/json', 'text/plain', '']) {
    test(`is read at such an endpoint if it may be JSON: ${type || 'no type'}`, async () => {
      const body = await read('{"model":"m"}', { headers: { 'content-type': type }, takesJson: false })
      assert.deepEqual(body.json, { model: 'm' })
    })
  }

  test('is what express.json() has left in req.body', async () => {
    const body = await read(gzipSync('{ "a":1.0 }'), {
      headers: { 'content-encoding': 'gzip' },
      parser: express.json(),
    })
    assert.deepEqual([textOf(body), body.json], ['{"a":1}', { a: 1 }])
    assert.equal(body.headers['content-encoding'], undefined)
    assert.equal(body.headers['content-length'], '7')
  })

  test('is what express.raw() has read, in full', async () => {
    const text = large(300 * KIB)
    const body = await read(text, { parser: express.raw({ type: '*/*', limit: '1mb' }) })
    assert.equal(textOf(body), text)
    assert.deepEqual(body.json, JSON.parse(text))
  })
})

describe('a deeply nested body', () => {
  const tooDeep = { code: 'invalid_request', status: 400, message: 'The request body is nested more than 500 deep' }

  test('passes 500 deep and is rejected 501 deep, whatever its size', async () => {
    for (const bytes of [0, 300 * KIB]) {
      const text = nested(500, bytes)
      assert.equal(textOf(await read(text)), text)
      await assert.rejects(read(nested(501, bytes)), tooDeep)
    }
    await assert.rejects(read(`{"x":${'['.repeat(200 * KIB)}${']'.repeat(200 * KIB)}}`), tooDeep)
  })

  test('passes unchanged if it is not edited: a large one is not parsed, a small one not serialised', async () => {
    for (const bytes of [0, 300 * KIB]) {
      const text = nested(10_000, bytes)
      assert.equal(textOf(await read(text, { isEdited: false })), text)
    }
  })

  test('may have brackets in strings, which do not count', async () => {
    assert.ok(await read(`{"x":"${'['.repeat(300 * KIB)}"}`))
  })

  test('is checked after decompression', async () => {
    const headers = { 'content-encoding': 'gzip' }
    await assert.rejects(read(gzipSync(nested(501, 300 * KIB)), { headers }), tooDeep)
  })
})
