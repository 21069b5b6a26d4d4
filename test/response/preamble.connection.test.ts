import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createAgent } from '../../lib/upstream/agent.js'
import { settled } from '../support/event-loop.js'
import { ask, provider } from '../upstream/provider.js'
import { joined, protocols } from './preamble-bodies.js'
import { bodyOf, reading } from './preamble-rig.js'

const { preamble, content, end, error } = protocols[0]!
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const chunked = (...pieces: readonly (Buffer | string)[]) =>
  pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece.toString()}\r\n`).join('')

/** A response over a connection of its own, and the provider's side of it. */
async function answering(t: TestContext, agent: http.Agent): Promise<{ response: IncomingMessage; socket: Socket }> {
  t.after(() => agent.destroy())
  const { port, asked } = await provider(t)
  const request = ask(agent, { port }).on('error', () => {})
  const socket = await asked()
  socket.write(HEAD)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { response, socket }
}

async function until(log: readonly string[]): Promise<void> {
  while (log.length === 0) await settled(1)
}

for (const [name, createdAgent] of [
  ['Node’s own', () => new http.Agent({ keepAlive: true })],
  ['the fast path’s', () => createAgent('http:', undefined) as http.Agent],
] as const) {
  test(`a connection, ${name}: what was held is put back, and the rest follows`, async (t) => {
    const { response, socket } = await answering(t, createdAgent())
    const { log, ready } = reading({ response })
    socket.write(chunked(...preamble))
    await settled()
    socket.write(chunked(content))
    await until(log)
    socket.write(`${chunked(...end)}0\r\n\r\n`)
    assert.deepEqual(log, ['ready: content'])
    const text = joined(...preamble, content, ...end).toString('latin1')
    assert.deepEqual(await bodyOf(ready()), { text, isBroken: false })
  })

  test(`a connection, ${name}: an answer that ended is in memory, and the connection is free`, async (t) => {
    const agent = createdAgent()
    const { response, socket } = await answering(t, agent)
    const { log, ready } = reading({ response })
    socket.write(`${chunked('data: [DONE]', '\n')}0\r\n\r\n`)
    await until(log)
    assert.deepEqual(log, ['ready: end'])
    assert.deepEqual(await bodyOf(ready()), { text: 'data: [DONE]\n', isBroken: false })
    assert.equal(response.readableEnded, true)
  })

  test(`a connection, ${name}: a break and an error are failures`, async (t) => {
    const broken = await answering(t, createdAgent())
    const first = reading({ response: broken.response })
    broken.socket.write(chunked(...preamble))
    await settled()
    broken.socket.destroy()
    await until(first.log)
    assert.deepEqual(first.log, ['failed: reset without a status'])
    const failing = await answering(t, createdAgent())
    const second = reading({ response: failing.response })
    failing.socket.write(chunked(...preamble, error))
    await until(second.log)
    assert.deepEqual(second.log, ['failed: error-event 429'])
  })

  test(`a connection, ${name}: what is not read waits in it`, async (t) => {
    const { response, socket } = await answering(t, createdAgent())
    const { log, ready } = reading({ response, bounds: { bytes: 1000 } })
    const comment = `: ${'x'.repeat(10_000)}\n\n`
    const all = comment.repeat(1000)
    socket.end(`${chunked(all)}0\r\n\r\n`)
    await until(log)
    assert.deepEqual(log, ['ready: bound'])
    await settled(20)
    assert.ok(response.readableLength < 512 * 1024, `${response.readableLength} bytes wait`)
    assert.equal((await bodyOf(ready())).text, all)
  })
}
