import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import zlib, { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import express, { type RequestHandler } from 'express'
import { HeldBytes } from '../../lib/exchange/held-bytes.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { type RequestBody, readBody } from '../../lib/request/body.js'
import { sharedTurns } from '../../lib/scheduling/turns.js'
import { settled, soon } from '../support/event-loop.js'
import { withRequest } from '../support/loopback.js'

const JSON_TYPE = 'application/json'
const limits = (maxRequestBytes: number) => ({ ...defaultLimits, maxRequestBytes })

type Json = Record<string, unknown>
type Left = IncomingMessage & { rawBody?: unknown; body?: unknown }

interface Given {
  headers?: Record<string, string>
  maxBytes?: number
  takesJson?: boolean
  /** Runs before the body is read, as a middleware of the app's would. */
  before?: (req: Left) => unknown
  /** In place of sending `body` at once. */
  send?: (client: ClientRequest) => void
}

/** What `readBody` makes of a request with this body. */
async function read(body: string | Buffer | undefined, given: Given = {}): Promise<RequestBody> {
  const { headers = { 'content-type': JSON_TYPE }, maxBytes = 1000, takesJson = false, before, send } = given
  return withRequest({ headers }, send ?? ((client) => client.end(body)), async ({ req }) => {
    await before?.(req)
    return readBody(req, limits(maxBytes), { takesJson })
  })
}

const text = (body: RequestBody) => {
  assert.ok(Buffer.isBuffer(body.content))
  return body.content.toString()
}

describe('a body that is not declared as JSON, for a provider that reads JSON whatever it is called,', () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/json', 'x']) {
    test(`is read if it is JSON: ${type}`, async () => {
      const body = await read('{"model":"m"}', { headers: { 'content-type': type }, takesJson: true })
      assert.deepEqual([body.json, text(body), body.headers['content-type']], [{ model: 'm' }, '{"model":"m"}', type])
    })

    test(`passes if it is not: ${type}`, async () => {
      const body = await read('model=m', { headers: { 'content-type': type }, takesJson: true })
      assert.deepEqual([body.json, text(body), body.headers['content-type']], [undefined, 'model=m', type])
    })
  }

  test('is not read if it is an upload', async () => {
    for (const type of ['audio/wav', 'multipart/form-data; boundary=a', 'application/octet-stream']) {
      const body = await read('{"model":"m"}', { headers: { 'content-type': type }, takesJson: true })
      assert.ok(body.content instanceof IncomingMessage, type)
      assert.equal(body.json, undefined)
    }
  })

  test('is limited like any other', async () => {
    const headers = { 'content-type': 'text/plain' }
    await assert.rejects(read('x'.repeat(7), { headers, takesJson: true, maxBytes: 6 }), { code: 'request_too_large' })
  })
})

test('a request without a body has none, even if a middleware has read it to its end', async () => {
  const send = (client: ClientRequest) => client.end()
  const body = await withRequest({ method: 'GET' }, send, async ({ req }) => {
    await once(req.resume(), 'end')
    return readBody(req, limits(1000))
  })
  assert.deepEqual([body.content, body.headers, body.json], [undefined, {}, undefined])
})

describe('JSON', () => {
  test('is read whole, and passes byte for byte', async () => {
    const sent = '{ "model":"gpt-5",\n  "stream" : true, "x": 1.0 }'
    const body = await read(sent)
    assert.equal(text(body), sent)
    assert.deepEqual(body.json, { model: 'gpt-5', stream: true, x: 1 })
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': String(sent.length) })
  })

  test('that is small and has arrived is taken at once, without listening for more', async () => {
    const sent = '{"model":"gpt-5"}'
    const body = await read(sent, {
      before: async (req) => {
        while (!req.complete) await settled()
        req.on = () => assert.fail('it listens')
      },
    })
    assert.equal(text(body), sent)
  })

  test('keeps its bytes if a middleware has set an encoding', async () => {
    const sent = '{"model":"gpt-5","text":"Göteborg, 東京"}'
    for (const encoding of ['latin1', 'utf8', 'hex'] as const) {
      const body = await read(sent, { before: (req) => void req.setEncoding(encoding) })
      assert.equal(text(body), sent, encoding)
    }
  })

  test('that is small is counted, and limited, however it arrives', async () => {
    const whenWhole = async (req: Left) => {
      while (!req.complete) await settled()
    }
    const headers = { 'content-type': JSON_TYPE, 'transfer-encoding': 'chunked' }
    await assert.rejects(read('{"a":1}', { headers, maxBytes: 6, before: whenWhole }), { code: 'request_too_large' })
  })

  test('may come later than its end is told, as adapters for functions tell it', async () => {
    const sent = '{"model":"gpt-5"}'
    const req = new IncomingMessage(new Socket())
    const headers = { 'content-type': JSON_TYPE, 'content-length': String(sent.length) }
    Object.assign(req, { complete: true, method: 'POST', headers })
    req._read = () => {}
    const body = readBody(req, limits(1000))
    await settled()
    req.push(sent)
    req.push(null)
    assert.equal(text(await body), sent)
  })

  test('that comes in chunks is read to its end, although a lenient parser has left a length with them', async () => {
    const [first, rest] = ['{"model":"gpt-5"', ',"x":1}']
    const req = new IncomingMessage(new Socket())
    const framing = { 'content-length': String(first.length), 'transfer-encoding': 'chunked' }
    Object.assign(req, { method: 'POST', headers: { 'content-type': JSON_TYPE, ...framing } })
    req.push(first)
    const body = readBody(req, limits(1000))
    await settled()
    req.push(rest)
    req.push(null)
    assert.equal(text(await body), first + rest)
  })

  test('is read although something has paused it', async () => {
    assert.deepEqual((await read('{"a":1}', { before: (req) => void req.pause() })).json, { a: 1 })
  })

  test('may arrive in any number of chunks', async () => {
    const body = await read(undefined, {
      send: (client) => {
        client.write('{"a":"')
        setImmediate(() => {
          client.write(Buffer.from('ß').subarray(0, 1))
          setImmediate(() => client.end(Buffer.concat([Buffer.from('ß').subarray(1), Buffer.from('"}')])))
        })
      },
    })
    assert.deepEqual(body.json, { a: 'ß' })
    assert.equal(body.headers['content-length'], '10')
  })

  for (const type of [
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/vnd.x+json',
  ]) {
    test(`is ${type}`, async () => {
      const body = await read('{"a":1}', { headers: { 'content-type': type } })
      assert.deepEqual(body.json, { a: 1 })
      assert.equal(body.headers['content-type'], type)
    })
  }

  test('may have a byte order mark, which is forwarded', async () => {
    const body = await read('\uFEFF{"a":1}')
    assert.deepEqual(body.json, { a: 1 })
    assert.equal(text(body), '\uFEFF{"a":1}')
  })

  for (const [name, sent] of [
    ['half an object', '{"secret": "hunter2"'],
    ['a word', 'hunter2'],
    ['a trailing comma', '{"a":"hunter2",}'],
    ['text after it', '{"a":1} hunter2'],
    ['bytes that are not text', Buffer.from([0xff, 0xfe, 0x00])],
  ] as const) {
    test(`is rejected without quoting it if it is invalid: ${name}`, async () => {
      await assert.rejects(read(sent), (error: Error & { code: string; status: number }) => {
        assert.equal(error.code, 'invalid_request')
        assert.equal(error.status, 400)
        assert.match(error.message, /not valid JSON/)
        assert.doesNotMatch(error.message, /hunter|secret/)
        assert.doesNotMatch(String((error.cause as Error | undefined)?.message), /hunter|secret/)
        return true
      })
    })
  }
})

describe('a request without a body', () => {
  test('declares none', async () => {
    const body = await withRequest(
      { method: 'GET' },
      (client) => client.end(),
      ({ req }) => readBody(req, limits(10)),
    )
    assert.deepEqual(body, { content: undefined, headers: {}, json: undefined })
  })

  test('may declare an empty one', async () => {
    const body = await read('', { headers: { 'content-type': JSON_TYPE, 'content-length': '0' } })
    assert.deepEqual(body, { content: undefined, headers: { 'content-length': '0' }, json: undefined })
  })
})

describe('an empty body counts as none, whatever its headers say', () => {
  for (const [method, headers] of [
    ['GET', {}],
    ['POST', { 'content-length': '0' }],
  ] as const) {
    for (const isEdited of [false, true]) {
      test(`${method}${isEdited ? ', edited' : ''}`, async () => {
        const sent = { 'content-type': JSON_TYPE, 'transfer-encoding': 'chunked' }
        const body = await withRequest(
          { method, headers: sent },
          (client) => client.end(),
          ({ req }) => readBody(req, limits(10), { isEdited }),
        )
        assert.deepEqual(body, { content: undefined, headers, json: undefined })
      })
    }
  }
})

describe('HTTP/2, which frames bodies itself', () => {
  const asHttp2 = (req: IncomingMessage) => {
    delete req.headers['transfer-encoding']
    return Object.assign(req, { httpVersionMajor: 2 })
  }
  for (const [sent, expected] of [
    ['{"a":1}', '{"a":1}'],
    ['', undefined],
  ] as const) {
    test(`a body is read even if no header announces it: ${sent || 'none'}`, async () => {
      const headers = { 'content-type': JSON_TYPE, 'transfer-encoding': 'chunked' }
      const { content } = await withRequest(
        { headers },
        (client) => client.end(sent),
        ({ req }) => readBody(asHttp2(req), limits(10)),
      )
      assert.equal(content?.toString(), expected)
    })
  }
})

describe('maxRequestBytes', () => {
  const tooLarge = { code: 'request_too_large', status: 413, limit: 'maxRequestBytes' }

  test('allows exactly that many bytes', async () => {
    assert.equal(text(await read('"12345678"', { maxBytes: 10 })), '"12345678"')
  })

  test('rejects a larger content-length before the body arrives', async () => {
    await assert.rejects(
      read(undefined, {
        maxBytes: 10,
        headers: { 'content-type': JSON_TYPE, 'content-length': '11' },
        send: (client) => client.flushHeaders(),
      }),
      tooLarge,
    )
  })

  test('rejects a larger content-length even if the body would pass unread', async () => {
    await assert.rejects(
      read(undefined, {
        maxBytes: 10,
        headers: { 'content-type': 'audio/mpeg', 'content-length': '11' },
        send: (client) => client.flushHeaders(),
      }),
      tooLarge,
    )
  })

  test('rejects a body that exceeds it while it arrives', async () => {
    await assert.rejects(
      read(undefined, {
        maxBytes: 10,
        send: (client) => {
          client.write('"12345')
          client.write('678901')
        },
      }),
      tooLarge,
    )
  })

  test('discards the bytes after the limit', async () => {
    await withRequest(
      { headers: { 'content-type': JSON_TYPE } },
      (client) => client.write('x'.repeat(11)),
      async ({ client, req }) => {
        await assert.rejects(readBody(req, limits(10)), tooLarge)
        for (const name of ['data', 'error', 'close']) assert.equal(req.listenerCount(name), 0, name)
        client.end('x'.repeat(100_000))
        await once(req, 'end')
      },
    )
  })

  test('Infinity removes the limit', async () => {
    assert.deepEqual((await read('{"a":1}', { maxBytes: Number.POSITIVE_INFINITY })).json, { a: 1 })
  })
})

describe('a compressed body', () => {
  const sent = JSON.stringify({ model: 'gpt-5', prompt: 'x'.repeat(500) })
  const compressed = {
    gzip: gzipSync(sent),
    'x-gzip': gzipSync(sent),
    GZIP: gzipSync(sent),
    deflate: deflateSync(sent),
    br: brotliCompressSync(sent),
  }
  for (const [encoding, bytes] of Object.entries(compressed)) {
    test(`${encoding}: is read, and passes unchanged`, async () => {
      const body = await read(bytes, { headers: { 'content-type': JSON_TYPE, 'content-encoding': encoding } })
      assert.deepEqual(body.json, JSON.parse(sent))
      assert.ok(Buffer.isBuffer(body.content) && body.content.equals(bytes))
      assert.equal(body.headers['content-encoding'], encoding)
      assert.equal(body.headers['content-length'], String(bytes.length))
    })
  }

  test('counts compressed against maxRequestBytes, because it is not decompressed whole', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000, 32))
    assert.ok(bomb.length < 2000)
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
    const { content, decoded } = await read(bomb, { headers, maxBytes: 2000 })
    assert.ok(Buffer.isBuffer(content) && content.equals(bomb))
    assert.equal(decoded, undefined)
  })

  for (const maxBytes of [Number.POSITIVE_INFINITY, 2 ** 52]) {
    test(`is read with maxRequestBytes ${maxBytes}`, async () => {
      const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
      assert.deepEqual((await read(compressed.gzip, { headers, maxBytes })).json, JSON.parse(sent))
    })
  }

  test('may be deflate without zlib’s header, as some clients send it', async () => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'deflate' }
    assert.deepEqual((await read(deflateRawSync(sent), { headers })).json, JSON.parse(sent))
  })

  for (const encoding of ['gzip, identity', 'identity,gzip', ' GZIP ,']) {
    test(`may list identity next to its encoding: ${encoding}`, async () => {
      const headers = { 'content-type': JSON_TYPE, 'content-encoding': encoding }
      const { json, content } = await read(compressed.gzip, { headers })
      assert.deepEqual(json, JSON.parse(sent))
      assert.ok(Buffer.isBuffer(content) && content.equals(compressed.gzip))
    })
  }

  for (const encoding of ['zstd-of-tomorrow', 'lzma', 'constructor', 'gzip, br', 'gzip, gzip']) {
    test(`in an unknown encoding passes unchanged: ${encoding}`, async () => {
      const headers = { 'content-type': JSON_TYPE, 'content-encoding': encoding }
      const { content, json, headers: described } = await read('(coded)', { headers })
      assert.deepEqual([String(content), json], ['(coded)', undefined])
      assert.deepEqual(described, { ...headers, 'content-length': '7' })
    })
  }

  test('with zstd passes unchanged on every Node, and is read if Node can decode it', async () => {
    const { zstdCompressSync } = zlib as { zstdCompressSync?: (text: string) => Buffer }
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'zstd' }
    const bytes = zstdCompressSync?.(sent) ?? Buffer.from('(coded)')
    const { content, json } = await read(bytes, { headers })
    assert.ok(Buffer.isBuffer(content) && content.equals(bytes))
    assert.deepEqual(json, zstdCompressSync && JSON.parse(sent))
  })

  test('is decoded only in its first part if it is long, and none of that is kept', async () => {
    const fields = (pad: number) => `{"model":"m","stream":true,"pad":"${' '.repeat(pad)}","n":1}`
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
    for (const pad of [300_000, 3_000_000]) {
      const bytes = gzipSync(fields(pad))
      const all = new HeldBytes(defaultLimits)
      const body = await withRequest(
        { headers },
        (client) => client.end(bytes),
        ({ req }) => readBody(req, defaultLimits, { resources: { share: all.share(), turns: sharedTurns() } }),
      )
      assert.ok(Buffer.isBuffer(body.content) && body.content.equals(bytes))
      assert.deepEqual({ ...(body.json as object) }, { model: 'm', stream: true })
      assert.equal(body.decoded, undefined)
      assert.equal(all.count, bytes.length)
    }
  })

  test('with identity is not compressed', async () => {
    const body = await read(sent, { headers: { 'content-type': JSON_TYPE, 'content-encoding': 'identity' } })
    assert.deepEqual(body.json, JSON.parse(sent))
  })

  for (const [name, bytes, encoding] of [
    ['broken', compressed.gzip.subarray(0, 20), 'gzip'],
    ['not in the declared encoding', Buffer.from(sent), 'br'],
  ] as const) {
    test(`is rejected if it is ${name}`, async () => {
      const headers = { 'content-type': JSON_TYPE, 'content-encoding': encoding }
      await assert.rejects(read(bytes, { headers }), { code: 'invalid_request', status: 400 })
    })
  }
})

describe('a body that is not JSON passes unread', () => {
  for (const type of ['multipart/form-data; boundary=x', 'audio/mpeg', 'text/plain', 'application/jsonl', undefined]) {
    test(`${type}`, async () => {
      const headers: Record<string, string> = { 'content-length': '5', 'content-encoding': 'x-any' }
      if (type) headers['content-type'] = type
      await withRequest(
        { headers },
        (client) => client.end('12345'),
        async ({ req }) => {
          const body = await readBody(req, limits(100))
          assert.equal(body.content, req)
          assert.equal(body.json, undefined)
          assert.deepEqual(body.headers, headers)
          assert.equal(req.readableDidRead, false)
        },
      )
    })
  }

  test('without a content-length', async () => {
    const headers = { 'content-type': 'audio/mpeg', 'transfer-encoding': 'chunked' }
    await withRequest(
      { headers },
      (client) => client.write('x'),
      async ({ req }) => {
        const body = await readBody(req, limits(100))
        assert.equal(body.content, req)
        assert.deepEqual(body.headers, { 'content-type': 'audio/mpeg' })
      },
    )
  })
})

describe('a body of unknown length, for a method that normally has none', () => {
  // Node frames such a body for POST, PUT and PATCH alone.
  for (const method of ['GET', 'DELETE', 'OPTIONS']) {
    test(`${method}: is read, so that its length is known`, async () => {
      const headers = { 'content-type': 'audio/mpeg', 'transfer-encoding': 'chunked' }
      const body = await withRequest(
        { method, headers },
        (client) => client.end('12345'),
        ({ req }) => readBody(req, limits(100)),
      )
      assert.equal(text(body), '12345')
      assert.deepEqual(body.headers, { 'content-type': 'audio/mpeg', 'content-length': '5' })
    })
  }

  test('is bounded while it arrives', async () => {
    const headers = { 'content-type': 'audio/mpeg', 'transfer-encoding': 'chunked' }
    const refused = withRequest(
      { method: 'DELETE', headers },
      (client) => client.write('12345678901'),
      ({ req }) => readBody(req, limits(10)),
    )
    await assert.rejects(refused, { code: 'request_too_large' })
  })
})

test('is counted while it arrives', async () => {
  let told = 0
  await withRequest(
    { headers: { 'content-type': JSON_TYPE } },
    (client) => client.write('x'.repeat(11)),
    async ({ req }) => {
      const refused = readBody(req, limits(10), {
        onBytes: (count) => {
          told += count
        },
      })
      await assert.rejects(refused, { code: 'request_too_large' })
    },
  )
  assert.equal(told, 11)
})

describe('a body that breaks off', () => {
  test('is rejected', async () => {
    await withRequest(
      { headers: { 'content-type': JSON_TYPE } },
      (client) => client.write('{"a":'),
      async ({ client, req }) => {
        const body = readBody(req, limits(100))
        client.destroy()
        await assert.rejects(body, { code: 'invalid_request' })
        for (const name of ['data', 'end', 'error', 'close']) assert.equal(req.listenerCount(name), 0, name)
      },
    )
  })

  test('is rejected even if it broke off before it was read', async () => {
    await withRequest(
      { headers: { 'content-type': JSON_TYPE } },
      (client) => client.write('{"a":'),
      async ({ client, req }) => {
        const gone = new Promise((resolve) => req.on('error', () => {}).once('close', resolve))
        client.destroy()
        await gone
        await assert.rejects(soon(readBody(req, limits(100)), 'the body'), { code: 'invalid_request' })
      },
    )
  })
})

/** Runs a parser of Express's on the request. */
const parse = (parser: RequestHandler) => (req: Left) =>
  new Promise<void>((resolve, reject) =>
    parser(req as never, {} as never, (error?: unknown) => (error ? reject(error) : resolve())),
  )
const keepRaw = (req: unknown, _res: unknown, bytes: Buffer) => {
  ;(req as Left).rawBody = bytes
}

describe('after a body parser', () => {
  const spaced = '{ "model": "gpt-5",  "n": 1.0 }'

  test('express.json(): what it left is serialised again', async () => {
    const body = await read(spaced, { before: parse(express.json()) })
    assert.equal(text(body), '{"model":"gpt-5","n":1}')
    assert.deepEqual(body.json, { model: 'gpt-5', n: 1 })
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': '23' })
  })

  test('express.json() with raw bytes kept: the raw bytes are forwarded', async () => {
    const body = await read(spaced, { before: parse(express.json({ verify: keepRaw })) })
    assert.equal(text(body), spaced)
    assert.deepEqual(body.json, { model: 'gpt-5', n: 1 })
  })

  test('express.json() of a compressed body: it is forwarded uncompressed', async () => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
    for (const verify of [undefined, keepRaw]) {
      const body = await read(gzipSync(spaced), { headers, before: parse(express.json({ verify })) })
      assert.deepEqual(body.json, { model: 'gpt-5', n: 1 })
      assert.equal(body.headers['content-encoding'], undefined)
      assert.equal(body.headers['content-length'], String(text(body).length))
    }
  })

  test('express.json() in another charset: the content type is corrected', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-16le' }
    const body = await read(Buffer.from('{"a":"ß"}', 'utf16le'), { headers, before: parse(express.json()) })
    assert.equal(text(body), '{"a":"ß"}')
    assert.equal(body.headers['content-type'], 'application/json; charset=utf-8')
  })

  test('express.text()', async () => {
    const body = await read(spaced, { before: parse(express.text({ type: '*/*' })) })
    assert.equal(text(body), spaced)
    assert.deepEqual(body.json, { model: 'gpt-5', n: 1 })
  })

  test('express.text() of invalid JSON is rejected', async () => {
    await assert.rejects(read('{"a":', { before: parse(express.text({ type: '*/*' })) }), { code: 'invalid_request' })
  })

  test('express.raw()', async () => {
    const bytes = Buffer.from([0, 255, 10, 13])
    const headers = { 'content-type': 'audio/mpeg' }
    const body = await read(bytes, { headers, before: parse(express.raw({ type: '*/*' })) })
    assert.ok(Buffer.isBuffer(body.content) && body.content.equals(bytes))
    assert.equal(body.json, undefined)
    assert.deepEqual(body.headers, { 'content-type': 'audio/mpeg', 'content-length': '4' })
  })

  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  for (const extended of [true, false]) {
    test(`express.urlencoded({ extended: ${extended} })`, async () => {
      const body = await read('model=gpt-5&q=a+b%26c', {
        headers: form,
        before: parse(express.urlencoded({ extended })),
      })
      assert.deepEqual(
        [...new URLSearchParams(text(body))],
        [
          ['model', 'gpt-5'],
          ['q', 'a b&c'],
        ],
      )
      assert.equal(body.json, undefined)
      assert.equal(body.headers['content-type'], form['content-type'])
    })
  }

  test('express.urlencoded({ extended: true }): nested fields keep their meaning', async () => {
    const sent = 'a[b][c]=1&a[b][d]=2&list[0]=x&list[1]=y&list[2][k]=z'
    const before = parse(express.urlencoded({ extended: true }))
    const first = await read(sent, { headers: form, before })
    let seen: unknown
    await read(text(first), {
      headers: form,
      before: async (req) => {
        await before(req)
        seen = req.body
      },
    })
    assert.deepEqual(seen, { a: { b: { c: '1', d: '2' } }, list: ['x', 'y', { k: 'z' }] })
  })

  test('express.urlencoded({ extended: false }): a repeated field stays a repeated field', async () => {
    const before = parse(express.urlencoded({ extended: false }))
    const body = await read('a=1&a=2&b=3', { headers: form, before })
    assert.deepEqual(
      [...new URLSearchParams(text(body))],
      [
        ['a', '1'],
        ['a', '2'],
        ['b', '3'],
      ],
    )
  })

  test('raw bytes, as string or buffer, take precedence over what a parser made of them', async () => {
    for (const rawBody of [spaced, Buffer.from(spaced), new Uint8Array(Buffer.from(spaced))]) {
      const body = await read('{"model":"gpt-5","n":1}', {
        before: async (req) => {
          await parse(express.json())(req)
          req.rawBody = rawBody
        },
      })
      assert.equal(text(body), spaced)
      assert.deepEqual(body.json, { model: 'gpt-5', n: 1 })
    }
  })

  for (const [name, change, sent] of [
    ['a field', (json: Json) => Object.assign(json, { model: 'small' }), '{"model":"small","n":1}'],
    [
      'an added field',
      (json: Json) => Object.assign(json, { max_tokens: 5 }),
      '{"model":"gpt-5","n":1,"max_tokens":5}',
    ],
    ['a removed field', (json: Json) => void delete json.n, '{"model":"gpt-5"}'],
    ['no change but the spelling', (json: Json) => Object.assign(json, { n: 1.0 }), spaced],
  ] as const) {
    test(`a change to req.body takes precedence over the raw bytes: ${name}`, async () => {
      const before = async (req: Left) => {
        await parse(express.json({ verify: keepRaw }))(req)
        change(req.body as Json)
      }
      const body = await read(spaced, { before })
      assert.equal(text(body), sent)
      assert.deepEqual(body.json, JSON.parse(sent))
      assert.equal(body.headers['content-length'], String(sent.length))
    })
  }

  test('a new object takes precedence as well, but not an empty one that no parser made', async () => {
    const replaced = async (req: Left) => {
      await parse(express.json({ verify: keepRaw }))(req)
      req.body = {}
    }
    assert.equal(text(await read(spaced, { before: replaced })), '{}')
    const readByHand = async (req: Left) => {
      req.rawBody = Buffer.concat(await req.toArray())
      req.body = {}
    }
    const headers = { 'content-type': 'audio/mpeg' }
    assert.equal(text(await read('sound', { headers, before: readByHand })), 'sound')
  })

  test('a changed text or form takes precedence as well', async () => {
    const changed = (parser: RequestHandler, to: unknown) => async (req: Left) => {
      await parse(parser)(req)
      req.body = to
    }
    const asText = changed(express.text({ type: '*/*', verify: keepRaw }), '{"model":"small"}')
    assert.equal(text(await read(spaced, { before: asText })), '{"model":"small"}')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const asForm = changed(express.urlencoded({ extended: true, verify: keepRaw }), { a: '2' })
    assert.equal(text(await read('a=1', { headers, before: asForm })), 'a=2')
    const kept = parse(express.urlencoded({ extended: true, verify: keepRaw }))
    assert.equal(text(await read('b=%20&a=1', { headers, before: kept })), 'b=%20&a=1')
  })

  test('long raw bytes are not compared: the object is sent', async () => {
    const long = `{ "x": "${'x'.repeat(1024 * 1024)}" }`
    const before = parse(express.json({ limit: '2mb', verify: keepRaw }))
    const sent = text(await read(long, { before, maxBytes: 2_000_000 }))
    assert.equal(sent, JSON.stringify(JSON.parse(long)))
  })

  for (const [values, isRaw] of [
    [3000, true],
    [30_000, false],
  ] as const) {
    test(`JSON of ${values} numbers ${isRaw ? 'is compared' : 'is not compared: the object is sent'}`, async () => {
      const spaced = `{ "x": [${Array(values).fill('1').join(', ')}] }`
      const before = parse(express.json({ verify: keepRaw }))
      const sent = text(await read(spaced, { before, maxBytes: 2_000_000 }))
      assert.equal(sent, isRaw ? spaced : JSON.stringify(JSON.parse(spaced)))
    })
  }

  test('a form of more than 1000 fields is not compared: the object is sent', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const before = parse(express.urlencoded({ extended: true, parameterLimit: 5000, verify: keepRaw }))
    const form = (fields: number, space: string) => Array.from({ length: fields }, (_, n) => `a${n}=${space}`).join('&')
    assert.equal(text(await read(form(1000, '%20'), { headers, before, maxBytes: 20_000 })), form(1000, '%20'))
    assert.equal(text(await read(form(1001, '%20'), { headers, before, maxBytes: 20_000 })), form(1001, '+'))
  })

  test('raw bytes in another charset are not forwarded', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-16le' }
    const before = parse(express.json({ verify: keepRaw }))
    const body = await read(Buffer.from('{"a":"ß"}', 'utf16le'), { headers, before })
    assert.equal(text(body), '{"a":"ß"}')
    assert.equal(body.headers['content-type'], 'application/json; charset=utf-8')
  })

  test('maxRequestBytes applies to what it left as well', async () => {
    const before = parse(express.json())
    await assert.rejects(
      read(undefined, {
        maxBytes: 5,
        before,
        send: (client) => {
          client.write('{"a":1')
          client.end('}')
        },
      }),
      { code: 'request_too_large' },
    )
  })

  test('a parser for another type has no effect', async () => {
    const body = await read(spaced, { before: parse(express.urlencoded({ extended: true })) })
    assert.equal(text(body), spaced)
  })

  test('a req.body that the app sets on an unread request is not sent in place of its body', async () => {
    const body = await read(spaced, {
      before: (req) => {
        req.body = { mine: true }
      },
    })
    assert.equal(text(body), spaced)
  })

  for (const [name, type, left] of [
    ['a form with files', 'multipart/form-data; boundary=x', { field: 'x' }],
    ['an upload of which nothing is left', 'audio/mpeg', undefined],
    ['JSON of which nothing is left', JSON_TYPE, undefined],
  ] as const) {
    test(`a consumed body is rejected with a clear message: ${name}`, async () => {
      const refused = read('--x--', {
        headers: { 'content-type': type },
        before: async (req) => {
          req.resume()
          await once(req, 'end')
          await settled()
          req.body = left
        },
      })
      await assert.rejects(refused, {
        code: 'invalid_request',
        status: 400,
        message: /was read before the proxy could/,
      })
    })
  }
})
