import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { describe, type TestContext, test } from 'node:test'
import { ChunkWriter, joinWithNextTick, writeWithHead } from '../../lib/response/chunk-writer.js'
import { forceClose } from '../../lib/response/force-close.js'

/** A response whose head has gone out, and the client's end of its connection. */
async function responding(t: TestContext, version = '1.1', method = 'GET') {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => client.destroy())
  client.write(`${method} / HTTP/${version}\r\nhost: x\r\nconnection: close\r\n\r\n`)
  const [, res] = (await once(server, 'request')) as [unknown, ServerResponse]
  res.setHeader('content-type', 'text/event-stream')
  res.sendDate = false
  return { res, client }
}

async function bodyOf(client: Socket): Promise<string> {
  const all = (await buffer(client)).toString('latin1')
  return all.slice(all.indexOf('\r\n\r\n') + 4)
}

/** The data of a body in chunked coding that is whole. */
function joined(body: string): string {
  let data = ''
  for (let at = 0; ; ) {
    const size = Number.parseInt(body.slice(at, body.indexOf('\r\n', at)), 16)
    const start = body.indexOf('\r\n', at) + 2
    data += body.slice(start, start + size)
    assert.equal(body.slice(start + size, start + size + 2), '\r\n')
    at = start + size + 2
    if (size === 0) {
      assert.equal(at, body.length)
      return data
    }
  }
}

const pieces = ['data: 1\n\n', 'x', 'é'.repeat(300), 'y'.repeat(5000), 'data: last\n\n'].map((text) =>
  Buffer.from(text),
)

describe('a chunk writer', () => {
  test('writes what the response itself would write, except the end', async (t) => {
    const bodies = await Promise.all(
      [true, false].map(async (isOurs) => {
        const { res, client } = await responding(t)
        res.flushHeaders()
        const body = bodyOf(client)
        const writer = ChunkWriter.for(res)!
        for (const piece of pieces) isOurs ? writer.write(piece, () => {}) : res.write(piece)
        res.end('the end')
        return body
      }),
    )
    // From version 22 on Node joins what is written in one tick into one chunk: the data is what must be the same.
    assert.equal(joined(bodies[0]!), joined(bodies[1]!))
    assert.match(bodies[0]!, /^9\r\ndata: 1\n\n\r\n1\r\nx\r\n/)
  })

  test('reports whether the client keeps up, and calls back once it does again', async (t) => {
    const { res, client } = await responding(t)
    res.flushHeaders()
    client.pause()
    const writer = ChunkWriter.for(res)!
    const drained = new Promise<void>((resolve) => {
      while (writer.write(Buffer.alloc(4000, 'x'), resolve));
    })
    client.resume()
    await drained
    assert.equal(res.socket?.listenerCount('drain'), 1, "but for the server's own, nothing listens any more")
  })

  test('calls back once, however much is written meanwhile', async (t) => {
    const { res, client } = await responding(t)
    res.flushHeaders()
    client.pause()
    const writer = ChunkWriter.for(res)!
    let told = 0
    const onDrain = () => void told++
    while (writer.write(Buffer.alloc(4000, 'x'), onDrain));
    for (let at = 0; at < 20; at++) writer.write(Buffer.alloc(10_000, 'x'), onDrain)
    assert.equal(res.socket?.listenerCount('drain'), 2, "the server's own, and ours")
    const drained = once(res.socket!, 'drain')
    client.resume()
    await drained
    assert.equal(told, 1)
  })

  test('does not call a listener that was removed', async (t) => {
    const { res, client } = await responding(t)
    res.flushHeaders()
    client.pause()
    const writer = ChunkWriter.for(res)!
    const onDrain = () => assert.fail('it was forgotten')
    while (writer.write(Buffer.alloc(4000, 'x'), onDrain));
    writer.removeDrainListener(onDrain)
    const drained = once(res.socket!, 'drain')
    client.resume()
    await drained
  })

  test('does not handle a response that it cannot write to directly', async (t) => {
    const wrapped = await responding(t)
    const { write } = wrapped.res
    wrapped.res.write = ((...args: Parameters<typeof write>) => write.apply(wrapped.res, args)) as typeof write
    wrapped.res.flushHeaders()
    assert.equal(ChunkWriter.for(wrapped.res), undefined, 'write() is wrapped')

    const { res: headless } = await responding(t)
    assert.equal(ChunkWriter.for(headless), undefined, 'the head has not gone out')

    const { res: old } = await responding(t, '1.0')
    old.flushHeaders()
    assert.equal(ChunkWriter.for(old), undefined, 'HTTP/1.0 knows no chunks')

    const { res: sized } = await responding(t)
    sized.setHeader('content-length', 3)
    sized.flushHeaders()
    assert.equal(ChunkWriter.for(sized), undefined, 'the body has a length')

    const { res: ended } = await responding(t)
    ended.end('x')
    assert.equal(ChunkWriter.for(ended), undefined, 'it has ended')
  })

  test('is unusable once write() is wrapped or the connection is closed', async (t) => {
    const { res } = await responding(t)
    res.flushHeaders()
    const writer = ChunkWriter.for(res)!
    assert.equal(writer.isUsable, true)
    const { write } = res
    res.write = (() => true) as typeof write
    assert.equal(writer.isUsable, false)
    res.write = write
    assert.equal(writer.isUsable, true)
    await new Promise((resolve) => res.write('x', resolve))
    assert.equal(writer.isUsable, true, 'what somebody else wrote has gone out')
    res.socket?.destroy()
    assert.equal(writer.isUsable, false)
  })
})

describe('the first bytes of a response', () => {
  test('are sent with its head, in one write, before the next tick', async (t) => {
    const { res, client } = await responding(t)
    const writev = t.mock.method(res.socket!, '_writev' as never) as { mock: { callCount(): number } }
    assert.equal(writeWithHead(res, pieces[0]!), true)
    assert.equal(writev.mock.callCount(), 1)
    assert.equal(res.socket!.writableLength, 0, 'nothing is held back')
    const body = bodyOf(client)
    res.end()
    assert.equal(joined(await body), 'data: 1\n\n')
  })

  test('go through a middleware that wraps write()', async (t) => {
    const { res } = await responding(t)
    res.write = res.write.bind(res) as typeof res.write
    assert.equal(writeWithHead(res, pieces[0]!), undefined)
    assert.equal(res.headersSent, false)
  })
})

/** The writes to the connection of a response. */
function writesOf(t: TestContext, res: ServerResponse): () => number {
  const socket = res.socket as Socket & { _writev: Socket['_write'] }
  const mocks = [t.mock.method(socket, '_write'), t.mock.method(socket, '_writev')]
  return () => mocks.reduce((sum, { mock }) => sum + mock.callCount(), 0)
}

describe('what is written before the end of a response', () => {
  test('goes out together with an end in the next tick', async (t) => {
    const { res, client } = await responding(t)
    res.flushHeaders()
    const body = bodyOf(client)
    const writer = ChunkWriter.for(res)!
    const writes = writesOf(t, res)
    process.nextTick(() => res.end())
    joinWithNextTick(res)
    writer.write(Buffer.from('data: last\n\n'), () => {})
    assert.equal(writes(), 0)
    await once(res, 'finish')
    assert.equal(joined(await body), 'data: last\n\n')
    assert.equal(writes(), 1)
  })

  test('goes out in the next tick if no end follows', async (t) => {
    const { res } = await responding(t)
    res.flushHeaders()
    const writer = ChunkWriter.for(res)!
    const writes = writesOf(t, res)
    joinWithNextTick(res)
    writer.write(Buffer.from('data: 1\n\n'), () => {})
    assert.equal(writes(), 0)
    await new Promise(process.nextTick)
    assert.equal(writes(), 1)
    assert.equal(res.socket?.writableCorked, 0)
  })

  test('goes out if the connection is closed instead', async (t) => {
    const { res, client } = await responding(t)
    res.flushHeaders()
    const body = bodyOf(client)
    const writer = ChunkWriter.for(res)!
    joinWithNextTick(res)
    writer.write(Buffer.from('data: 1\n\n'), () => {})
    forceClose(res)
    assert.equal(await body, '9\r\ndata: 1\n\n\r\n')
  })

  test('goes out at once if a middleware wraps write()', async (t) => {
    const { res } = await responding(t)
    res.write = res.write.bind(res)
    joinWithNextTick(res)
    assert.equal(res.socket?.writableCorked, 0)
  })
})
