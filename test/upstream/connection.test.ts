import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { createAgent } from '../../lib/upstream/agent.js'
import { cert, key } from '../e2e/support/certificate.js'
import { cutAt } from '../support/bytes.js'
import { settled } from '../support/event-loop.js'
import { type Answer, ask, exchange, provider, until, withBoth } from './provider.js'
import { behind, broken, chunked, lenient, whole } from './scripts.js'

describe("a client gets the same as from Node's agent", () => {
  test('for consecutive answers, on one connection if it is kept alive', async (t) => {
    const server = await provider(t)
    const several = fc.array(whole, { minLength: 1, maxLength: 3 })
    const property = fc.asyncProperty(several, async (all) => {
      const { ours, nodes } = await withBoth(async (agent) => {
        const answers: Answer[] = []
        for (const script of all) answers.push(await exchange(agent, server, script))
        return answers
      })
      assert.deepEqual(ours, nodes)
      for (const { complete } of ours) assert.equal(complete, true)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test('for an answer that is broken or breaks off, and for the next one', async (t) => {
    const server = await provider(t)
    const property = fc.asyncProperty(broken, whole, async (script, next) => {
      const { ours, nodes } = await withBoth(async (agent) => [
        await exchange(agent, server, script),
        await exchange(agent, server, next),
      ])
      assert.deepEqual(ours, nodes)
      assert.notEqual(ours[0]?.complete, true)
      assert.equal(ours[1]?.complete, true)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test('for an answer that only a lenient parser accepts', async (t) => {
    const server = await provider(t)
    const property = fc.asyncProperty(lenient, async (script) => {
      const lenientScript = { ...script, insecureHTTPParser: true }
      const { ours, nodes } = await withBoth((agent) => exchange(agent, server, lenientScript))
      assert.deepEqual(ours, nodes)
      assert.equal(ours.complete, true)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test('for an answer with bytes after its end, which do not answer the next request', async (t) => {
    const server = await provider(t)
    const ends = ['garbage', '0\r\n\r\n', '\r\n\r\n', `${chunked}8\r\nsmuggled\r\n0\r\n\r\n`, 'HTTP/1.1 200 OK\r\n\r\n']
    const after = fc.constantFrom(...ends).map((end) => Buffer.from(end))
    const property = fc.asyncProperty(whole, after, fc.boolean(), async ({ method, pieces }, end, isApart) => {
      const last = isApart ? [...pieces, end] : [...pieces.slice(0, -1), Buffer.concat([...pieces.slice(-1), end])]
      const { ours, nodes } = await withBoth(async (agent) => ({
        answer: await exchange(agent, server, { method, pieces: last }),
        next: await exchange(agent, server, { method: 'GET', pieces: [Buffer.from(`${chunked}2\r\nme\r\n0\r\n\r\n`)] }),
      }))
      // Whether the request fails, too, depends on what was read at once; the response was whole.
      assert.deepEqual({ ...ours.answer, requestFailed: nodes.answer.requestFailed }, nodes.answer)
      assert.equal(ours.answer.responseFailed, false)
      assert.equal(ours.next.body, 'me')
      assert.equal(ours.next.complete, true)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test('over TLS', async (t) => {
    const server = await provider(t, createTlsServer({ cert, key }))
    const agents = [createAgent('https:', { ca: cert }), new https.Agent({ ca: cert, keepAlive: true })] as const
    t.after(() => {
      for (const agent of agents) agent.destroy()
    })
    const property = fc.asyncProperty(whole, async (script) => {
      const [ours, nodes] = [await exchange(agents[0], server, script), await exchange(agents[1], server, script)]
      assert.deepEqual(ours, nodes)
      assert.equal(ours.complete, true)
    })
    await fc.assert(property, { numRuns: 30 })
  })

  test('if `chunked` is followed by white space that only JavaScript trims', async (t) => {
    const server = await provider(t)
    const pieces = [Buffer.from(`${chunked.replace('chunked', 'chunked\t')}5\r\nhello\r\n0\r\n\r\n`)]
    const { ours, nodes } = await withBoth((agent) => exchange(agent, server, { method: 'GET', pieces }))
    assert.deepEqual(ours, nodes)
  })
})

describe('before the head of an answer', () => {
  const flood = async (t: TestContext, piece: string) => {
    const server = await provider(t)
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const request = ask(agent, { port: server.port })
    const failed = once(request, 'error') as Promise<[Error]>
    const connection = await server.asked()
    let parsed = 0
    const socket = request.socket!
    const emit = socket.emit.bind(socket)
    socket.emit = (name: string, ...rest: unknown[]) => {
      if (name === 'data') parsed++
      return emit(name, ...rest)
    }
    const block = Buffer.from(piece.repeat(Math.ceil((64 * 1024) / piece.length)))
    for (let count = 0; count < 32 && !socket.destroyed; count++) {
      connection.write(block)
      await settled()
    }
    const [error] = await failed
    return { error, parsed, socket }
  }

  for (const [what, piece] of [
    ['blank lines', '\r\n'],
    ['line feeds', '\n'],
  ] as const) {
    test(`${what} are skipped without being parsed, but not endlessly`, async (t) => {
      const { error, parsed, socket } = await flood(t, piece)
      assert.match(error.message, /too many bytes came before the head/)
      assert.equal(parsed, 0)
      assert.equal(socket.destroyed, true)
      assert.ok(socket.bytesRead < 512 * 1024)
    })
  }

  test('the number of interim answers is limited as well', async (t) => {
    const { error, socket } = await flood(t, 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')
    assert.match(error.message, /too many bytes came before the head/)
    assert.equal(socket.destroyed, true)
  })
})

test('a connection that is kept carries any number of answers, however much their heads add up to', async (t) => {
  const server = await provider(t)
  const agent = createAgent('http:', undefined)
  t.after(() => agent.destroy())
  const head = `HTTP/1.1 200 OK\r\nx-padding: ${'x'.repeat(10_000)}\r\ntransfer-encoding: chunked\r\n\r\n`
  for (let count = 0; count < 40; count++) {
    const pieces = [Buffer.from(`${head}2\r\nok\r\n0\r\n\r\n`)]
    const { body, complete, reusedSocket } = await exchange(agent, server, { method: 'GET', pieces })
    assert.deepEqual([body, complete, reusedSocket], ['ok', true, count > 0])
  }
})

/** An agent of ours, and a provider that has answered a request of it with these bytes so far. */
async function answeredWith(t: TestContext, bytes: Buffer) {
  const server = await provider(t)
  const agent = createAgent('http:', undefined)
  t.after(() => agent.destroy())
  const request = ask(agent, { port: server.port })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  const connection = await server.asked()
  connection.write(bytes)
  const [response] = await answered
  const socket = request.socket!
  return { server, agent, request, connection, response, socket }
}

/** Chunks of these sizes. */
function chunksOf(...sizes: number[]): Buffer {
  return Buffer.from(sizes.map((size) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`).join(''))
}

async function sizeOf(response: IncomingMessage): Promise<number> {
  let size = 0
  for await (const chunk of response) size += chunk.length
  return size
}

const afterHead = behind(chunked)
const LAST = Buffer.from('0\r\n\r\n')
const HIGH_WATER = new Readable().readableHighWaterMark

test('the chunks of one read arrive as one buffer, whatever came before them', async (t) => {
  const server = await provider(t)
  const agent = createAgent('http:', undefined)
  t.after(() => agent.destroy())
  const hundred = chunksOf(...Array(100).fill(10))
  const counted = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello\r\n\r\nyou')
  const interim = Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), afterHead(hundred)])
  for (const [expected, ...pieces] of [
    [[1000, 1000, 3], afterHead(hundred), hundred, Buffer.concat([chunksOf(1, 2), LAST])],
    [[12], counted],
    [[1000, 1000], interim, Buffer.concat([hundred, LAST])],
    // A head in two reads: that response is the parser's.
    [[4, 4], ...cutAt(afterHead(Buffer.concat([chunksOf(4, 4), LAST])), [20])],
    [[1000], Buffer.concat([afterHead(hundred), LAST])],
  ] as [number[], ...Buffer[]][]) {
    const sizes: number[] = []
    await exchange(agent, server, { method: 'GET', pieces }, (piece) => sizes.push(piece.length))
    assert.deepEqual(sizes, expected)
  }
})

describe('a response that is not read', () => {
  test('stops the connection, and nothing is lost', async (t) => {
    const chunk = chunksOf(1, 1000, 20_000)
    const { connection, response, socket } = await answeredWith(t, afterHead(chunk))
    const [count, total] = [1000, 1000 * 21_001]
    for (let at = 1; at < count; at++) connection.write(chunk)
    connection.write(LAST)
    await until(() => socket.isPaused())
    const { bytesRead } = socket
    await settled(100)
    assert.equal(socket.bytesRead, bytesRead)
    assert.ok(response.readableLength < HIGH_WATER + 64 * 1024)
    assert.ok(connection.writableLength > 0, 'the provider waits')
    assert.equal(await sizeOf(response), total)
  })

  test('keeps its data, whatever the connection reads next', async (t) => {
    const { connection, response, socket } = await answeredWith(t, afterHead(Buffer.from('3\r\none\r\n')))
    await until(() => socket.bytesRead > chunked.length)
    connection.write(Buffer.concat([chunksOf(300), LAST]))
    await until(() => response.complete)
    assert.equal(Buffer.concat(await response.toArray()).toString(), `one${'x'.repeat(300)}`)
  })

  test('does not stop it after its end: once it is read, the connection is reused', async (t) => {
    const first = afterHead(chunksOf(HIGH_WATER - 1))
    const { server, agent, connection, response, socket } = await answeredWith(t, first)
    await until(() => socket.bytesRead === first.length)
    assert.equal(socket.isPaused(), false)
    let pauses = 0
    socket.on('pause', () => pauses++)
    connection.write(Buffer.concat([chunksOf(10), LAST]))
    await until(() => response.complete)
    assert.equal(pauses, 1)
    assert.equal(socket.isPaused(), false)
    assert.deepEqual(Object.keys(agent.freeSockets), [])
    assert.equal(await sizeOf(response), HIGH_WATER + 9)
    const next = await exchange(agent, server, { method: 'GET', pieces: [afterHead(LAST)] })
    assert.equal(next.reusedSocket, true)
    assert.equal(next.complete, true)
  })
})

test('a response destroyed by its reader delivers nothing more, and ends the connection', async (t) => {
  const { connection, request, response, socket } = await answeredWith(t, Buffer.from(chunked))
  const closed = once(request, 'close')
  let size = 0
  response.on('data', (piece: Buffer) => {
    size += piece.length
    response.destroy()
  })
  connection.write(Buffer.concat([chunksOf(5, 6), LAST, Buffer.from('garbage')]))
  await closed
  assert.equal(size, 11)
  assert.equal(response.complete, false)
  assert.equal(socket.destroyed, true)
})

test('a response that the connection was not told about is parsed by Node', async (t) => {
  const server = await provider(t)
  const agent = createAgent('http:', undefined)
  t.after(() => agent.destroy())
  for (const isReused of [false, true, true]) {
    const request = http.get({ host: '127.0.0.1', port: server.port, agent })
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    const connection = await server.asked()
    connection.write(afterHead(Buffer.concat([chunksOf(4, 4, 4), LAST])))
    const [response] = await answered
    assert.equal(await sizeOf(response), 12)
    assert.equal(request.reusedSocket, isReused)
    // The connection is in the pool one turn later.
    await settled()
  }
})

test('an idle connection does not keep the last response alive', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { agent, response } = await (async () => {
    const { response, ...rest } = await answeredWith(t, afterHead(Buffer.concat([chunksOf(5), LAST])))
    await sizeOf(response)
    return { ...rest, response: new WeakRef(response) }
  })()
  for (let turn = 0; turn < 20 && response.deref(); turn++) {
    await settled()
    collect()
  }
  assert.equal(response.deref(), undefined)
  assert.equal(Object.keys(agent.freeSockets).length, 1)
})
