import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable, Writable } from 'node:stream'
import { describe, test } from 'node:test'
import type { UpstreamRequest } from '../../lib/request/upstream-request.js'
import type { Route } from '../../lib/upstream/route.js'
import { StubRequest, StubResponse } from '../../lib/upstream/stubs.js'
import { settled } from '../support/event-loop.js'

const direct: Route = { origin: 'http://provider.example', mayUseProxy: false }
const viaProxy: Route = { ...direct, mayUseProxy: true }

const request = (body: Buffer | readonly Buffer[] | Readable | undefined): UpstreamRequest => ({
  method: 'POST',
  url: '/v1/x?y=1',
  headers: { accept: '*/*' },
  body: body as Buffer | readonly Buffer[] | IncomingMessage | undefined,
  client: { remoteAddress: '203.0.113.9', encrypted: true },
})

/** What an upstream request is sent. */
async function textOf(standIn: StubRequest): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of standIn.pipe(new PassThrough())) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('StubRequest', () => {
  test('has the properties from which an upstream request is made', () => {
    const standIn = new StubRequest(request(undefined), direct, () => {})
    const { method, url, headers, httpVersion, httpVersionMajor } = standIn
    assert.deepEqual(
      { method, url, headers, httpVersion, httpVersionMajor },
      { method: 'POST', url: '/v1/x?y=1', headers: { accept: '*/*' }, httpVersion: '1.1', httpVersionMajor: 1 },
    )
    assert.deepEqual(
      { ...standIn.socket },
      {
        remoteAddress: '203.0.113.9',
        encrypted: true,
        destroyed: false,
        writable: true,
      },
    )
    assert.equal(standIn.connection, standIn.socket)
  })

  for (const [name, body, text] of [
    ['bytes', Buffer.from('{"a":1}'), '{"a":1}'],
    ['no bytes', Buffer.alloc(0), ''],
    ['nothing', undefined, ''],
  ] as const) {
    test(`replays ${name}`, async () => {
      for (const attempt of [1, 2]) {
        const standIn = new StubRequest(request(body), direct, () => assert.fail('nothing passes unbuffered'))
        assert.equal(await textOf(standIn), text, `attempt ${attempt}`)
      }
    })
  }

  for (const [name, made, sent] of [
    ['as it is', '/v1/x?y=1', '/v1/x?y=1'],
    ['whatever http-proxy-middleware has made of it', '/v1/http://x?y=1', '/v1/x?y=1'],
  ] as const) {
    test(`sends the path that it was given, ${name}`, () => {
      const upstream = Object.assign(new PassThrough(), { path: made })
      new StubRequest(request(undefined), direct, () => {}).pipe(upstream)
      assert.equal(upstream.path, sent)
    })
  }

  test("sends the path that it was given, after the target's origin if an agent has prefixed any", () => {
    const upstream = Object.assign(new PassThrough(), { path: 'http://of-the-client.example:8080/v1//x' })
    new StubRequest(request(undefined), viaProxy, () => {}).pipe(upstream)
    assert.equal(upstream.path, 'http://provider.example/v1/x?y=1')
  })

  test('sends that path even if the agent prefixes an origin when it connects', () => {
    const upstream = Object.assign(new PassThrough(), { path: '/v1/x?y=1' })
    new StubRequest(request(undefined), viaProxy, () => {}).pipe(upstream)
    assert.equal(upstream.path, '/v1/x?y=1')
    upstream.path = 'HTTP://169.254.169.254/v1/x?y=%31'
    assert.equal(upstream.path, 'http://provider.example/v1/x?y=1')
  })

  describe('through an agent that may rewrite the head', () => {
    const piped = (body: Buffer | Readable) => {
      const standIn = new StubRequest(request(body), viaProxy, () => {})
      const upstream = standIn.pipe(new PassThrough())
      const text = async () => String(Buffer.concat(await upstream.toArray()))
      return { standIn, upstream, text }
    }

    for (const [name, body] of [
      ['held', () => Buffer.alloc(300 * 1024, 'x')],
      ['that passes', () => Readable.from([Buffer.alloc(300 * 1024, 'x')])],
    ] as const) {
      test(`sends nothing of a body ${name} before it has its connection, and then all of it`, async () => {
        const { upstream, text } = piped(body())
        await settled()
        assert.equal(upstream.readableLength, 0)
        upstream.emit('socket')
        assert.equal(await text(), 'x'.repeat(300 * 1024))
      })

      test(`sends nothing of a body ${name} if it was released earlier`, async () => {
        const { standIn, upstream } = piped(body())
        standIn.release()
        upstream.emit('socket')
        await settled()
        assert.equal(upstream.readableLength, 0)
        assert.equal(upstream.writableEnded, false)
      })
    }

    test('reads and discards a body that is released earlier', async () => {
      const body = Readable.from([Buffer.from('one')])
      piped(body).standIn.release()
      await once(body, 'end')
    })

    test('makes a streaming body wait for the connection, not for the client', () => {
      const body = new PassThrough()
      piped(body)
      assert.equal(body.isPaused(), true)
    })
  })

  test('streams an unread body chunk by chunk, reporting each', async () => {
    const body = Readable.from([Buffer.from('one'), Buffer.from('two')])
    const chunks: string[] = []
    const standIn = new StubRequest(request(body), direct, (chunk) => chunks.push(String(chunk)))
    assert.equal(await textOf(standIn), 'onetwo')
    assert.deepEqual(chunks, ['one', 'two'])
  })

  test('reads no body before it is piped, and no faster than it is consumed', async () => {
    const body = new PassThrough({ highWaterMark: 1024 })
    const standIn = new StubRequest(request(body), direct, () => {})
    const upstream = new PassThrough({ highWaterMark: 1024 })
    for (let at = 0; at < 200; at++) body.write(Buffer.alloc(1024))
    await settled()
    assert.equal(body.readableDidRead, false)
    standIn.pipe(upstream)
    await settled(20)
    const held = upstream.readableLength + upstream.writableLength
    assert.ok(held > 0)
    assert.ok(held < 50 * 1024, `${held} bytes are held`)
    body.end()
    let size = 0
    for await (const chunk of upstream) size += chunk.length
    assert.equal(size, 200 * 1024)
  })

  test('lets the rest of the body flow once it is released', async () => {
    const body = new PassThrough()
    const chunks: Buffer[] = []
    const standIn = new StubRequest(request(body), direct, (chunk) => chunks.push(chunk))
    const upstream = standIn.pipe(new PassThrough())
    body.write('a')
    await settled()
    standIn.release()
    const ended = once(body, 'end')
    body.end('b')
    await ended
    assert.deepEqual(chunks.map(String), ['a'])
    assert.equal(String(upstream.read()), 'a')
    assert.equal(upstream.writableEnded, false)
  })

  test('pipes nothing once it is released', async () => {
    const body = new PassThrough()
    const standIn = new StubRequest(request(body), direct, () => assert.fail('a chunk passed'))
    standIn.release()
    const upstream = standIn.pipe(new PassThrough())
    const ended = once(body, 'end')
    body.end('b')
    await ended
    assert.equal(upstream.read(), null)
  })

  test('removes only its own listeners from the body when it is released', async () => {
    const body = new PassThrough()
    let ended = 0
    let seen = 0
    body.on('data', () => seen++)
    body.on('end', () => ended++)
    const standIn = new StubRequest(request(body), direct, () => {})
    standIn.pipe(new PassThrough())
    standIn.release()
    await settled()
    body.end('x')
    await settled()
    assert.deepEqual([seen, ended], [1, 1])
  })
})

describe('StubResponse', () => {
  test('ignores every call, and reports its own state', () => {
    const standIn = new StubResponse()
    assert.equal(standIn.setHeader(), standIn)
    assert.equal(standIn.end(), standIn)
    assert.equal(standIn.destroy(), standIn)
    const { destroyed, finished, headersSent, writableFinished } = standIn
    assert.deepEqual([destroyed, finished, headersSent, writableFinished], [false, false, false, false])
  })

  for (const complete of [true, false]) {
    test(`closes once, ${complete ? 'as if everything had been written' : 'as if the client had left'}`, () => {
      const standIn = new StubResponse()
      let closes = 0
      standIn.on('close', () => closes++)
      standIn.close(complete)
      standIn.close(!complete)
      assert.equal(closes, 1)
      assert.deepEqual([standIn.destroyed, standIn.finished, standIn.writableFinished], [true, true, complete])
    })
  }
})

describe('a long request body', () => {
  /** Takes so many writes before it has to drain. */
  class Slow extends Writable {
    readonly sizes: number[] = []
    takeOn: (() => void) | undefined
    constructor() {
      super({ highWaterMark: 1 })
    }
    override _write(chunk: Buffer, _encoding: string, done: () => void): void {
      this.sizes.push(chunk.length)
      this.takeOn = done
    }
  }

  test('that streams through is not resumed while the pipe has paused it, however many chunks arrive', async () => {
    let resumed = 0
    const upstream = new Slow()
    const socket = { pause: () => {}, resume: () => resumed++ }
    const body = Object.assign(new PassThrough({ highWaterMark: 10_000 }), { socket, httpVersionMajor: 1 })
    const chunks: Buffer[] = []
    new StubRequest(request(body), direct, (chunk) => chunks.push(chunk)).pipe(upstream)
    for (let n = 0; n < 1500; n++) {
      body.emit('data', Buffer.from('x'))
      await Promise.resolve()
    }
    await settled()
    assert.deepEqual([chunks.length, resumed], [1500, 0])
    body.destroy()
  })

  test('is sent in pieces as they are accepted, and released at its end', async () => {
    let sent = 0
    const upstream = new Slow()
    const body = [Buffer.alloc(300 * 1024), Buffer.alloc(10)]
    new StubRequest(
      request(body),
      direct,
      () => {},
      () => sent++,
    ).pipe(upstream)
    assert.deepEqual([upstream.sizes, sent], [[256 * 1024], 0])
    while (!upstream.writableFinished) {
      upstream.takeOn?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual([upstream.sizes, sent], [[256 * 1024, 44 * 1024, 10], 1])
  })

  test('is not sent any further once it is released', async () => {
    const upstream = new Slow()
    const standIn = new StubRequest(request(Buffer.alloc(1024 * 1024)), direct, () => {})
    standIn.pipe(upstream)
    standIn.release()
    upstream.takeOn?.()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(upstream.sizes, [256 * 1024])
    assert.equal(upstream.writableEnded, false)
  })
})
