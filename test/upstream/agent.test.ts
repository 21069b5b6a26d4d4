import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Agent, get, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { createAgent } from '../../lib/upstream/agent.js'
import { cert, key } from '../e2e/support/certificate.js'
import { provider, until } from './provider.js'

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return body
}

async function bodyFor(agent: Agent, port: number): Promise<string> {
  const [response] = (await once(get({ host: '127.0.0.1', port, agent }), 'response')) as [IncomingMessage]
  return bodyOf(response)
}

function answer(socket: Socket, body: string): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

describe('createAgent', () => {
  test('keeps two concurrent answers apart, although they are read into one buffer', async (t) => {
    const { port, asked } = await provider(t)
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const size = 200_000
    const bodies = [bodyFor(agent, port), bodyFor(agent, port)]
    const sockets = [await asked(), await asked()]
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

  test('reuses a connection', async (t) => {
    const { port, asked } = await provider(t)
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const first = bodyFor(agent, port)
    const socket = await asked()
    answer(socket, 'one')
    assert.equal(await first, 'one')
    const second = bodyFor(agent, port)
    assert.equal(await asked(), socket)
    answer(socket, 'two')
    assert.equal(await second, 'two')
  })

  for (const [hint, ms] of [
    ['', 30_000],
    ['keep-alive: timeout=5\r\n', 4000],
    ['keep-alive: timeout=600\r\n', 30_000],
  ] as const) {
    test(`closes a connection that was idle for ${ms} ms, after ${hint.trim() || 'no hint'}`, async (t) => {
      const { port, asked } = await provider(t)
      const agent = createAgent('http:', undefined)
      t.after(() => agent.destroy())
      let now = performance.now()
      t.mock.method(performance, 'now', () => now)
      const pass = (passed: number) => {
        now += passed
        t.mock.timers.tick(passed)
      }
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const idle = () => Object.values(agent.freeSockets).flat()[0]
      for (let time = 0; time < 2; time++) {
        const answered = bodyFor(agent, port)
        const socket = await asked()
        // One in use is not closed.
        pass(40_000)
        socket.write(`HTTP/1.1 200 OK\r\n${hint}content-length: 1\r\n\r\nx`)
        await answered
        await until(() => idle() !== undefined)
        pass(ms - 1)
        assert.equal(idle()?.destroyed, false)
        assert.equal(idle()?.timeout || 0, 0)
      }
      pass(1)
      assert.equal(idle()?.destroyed, true)
      await until(() => idle() === undefined)
    })
  }

  test('closes an idle connection that gets unrequested bytes, which do not answer the next request', async (t) => {
    const { port, asked } = await provider(t)
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    const first = bodyFor(agent, port)
    const socket = await asked()
    answer(socket, 'one')
    await first
    const idle = () => Object.keys(agent.freeSockets).length
    await until(() => idle() === 1)
    answer(socket, 'smuggled')
    await until(() => idle() === 0)
    const second = bodyFor(agent, port)
    answer(await asked(), 'two')
    assert.equal(await second, 'two')
  })

  test('works over TLS', async (t) => {
    const { port, asked } = await provider(t, createTlsServer({ cert, key }))
    const agent = createAgent('https:', { ca: cert })
    t.after(() => agent.destroy())
    const request = https.get({ host: '127.0.0.1', port, agent, servername: 'localhost' })
    const socket = await asked()
    answer(socket, 'x'.repeat(100_000))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.equal((await bodyOf(response)).length, 100_000)
  })
})
