import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Agent, get, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { createAgent } from '../../lib/upstream/agent.js'
import { cert, key } from '../e2e/support/certificate.js'

/** A provider that answers by hand: each connection it gets is handed over. */
async function provider(t: TestContext, server: Server): Promise<{ port: number; next(): Promise<Socket> }> {
  const waiting: Socket[] = []
  const event = 'key' in server ? 'secureConnection' : 'connection'
  server.on(event, (socket: Socket) => {
    waiting.push(socket)
    server.emit('arrived')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return {
    port: (server.address() as AddressInfo).port,
    async next() {
      while (waiting.length === 0) await once(server, 'arrived')
      const socket = waiting.shift()!
      t.after(() => socket.destroy())
      return socket
    },
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return body
}

async function ask(agent: Agent, port: number): Promise<string> {
  const [response] = (await once(get({ host: '127.0.0.1', port, agent }), 'response')) as [IncomingMessage]
  return bodyOf(response)
}

function answer(socket: Socket, body: string): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

describe('createAgent', () => {
  test('two answers at once do not get into each other, though they are read into one buffer', async (t) => {
    const { port, next } = await provider(t, createServer())
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const size = 200_000
    const bodies = [ask(agent, port), ask(agent, port)]
    const sockets = [await next(), await next()]
    for (const socket of sockets) await once(socket, 'data')
    for (const [at, socket] of sockets.entries()) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
      socket.write(String(at).repeat(size / 2))
    }
    for (const [at, socket] of sockets.entries()) socket.write(String(at).repeat(size / 2))
    const got = await Promise.all(bodies)
    assert.deepEqual(
      got.map((body) => new Set(body).size),
      [1, 1],
    )
    assert.deepEqual(
      got.map((body) => body.length),
      [size, size],
    )
    assert.notEqual(got[0]?.[0], got[1]?.[0])
  })

  test('a connection is used again', async (t) => {
    const { port, next } = await provider(t, createServer())
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const first = ask(agent, port)
    const socket = await next()
    await once(socket, 'data')
    answer(socket, 'one')
    assert.equal(await first, 'one')
    const second = ask(agent, port)
    await once(socket, 'data')
    answer(socket, 'two')
    assert.equal(await second, 'two')
  })

  test('an idle connection on which bytes come unasked is closed: they are no answer to the next request', async (t) => {
    const { port, next } = await provider(t, createServer())
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const first = ask(agent, port)
    const socket = await next()
    await once(socket, 'data')
    answer(socket, 'one')
    await first
    const closed = once(socket, 'close')
    answer(socket, 'smuggled')
    await closed
    const second = ask(agent, port)
    const other = await next()
    await once(other, 'data')
    answer(other, 'two')
    assert.equal(await second, 'two')
  })

  test('over TLS, too', async (t) => {
    const { port, next } = await provider(t, createTlsServer({ cert, key }))
    const agent = createAgent('https:', { ca: cert })
    t.after(() => agent.destroy())
    const request = https.get({ host: '127.0.0.1', port, agent, servername: 'localhost' })
    const socket = await next()
    await once(socket, 'data')
    answer(socket, 'x'.repeat(100_000))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.equal((await bodyOf(response)).length, 100_000)
  })
})
