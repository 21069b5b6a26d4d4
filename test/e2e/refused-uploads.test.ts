import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorRequestHandler } from 'express'
import type { AiProxyOptions } from '../../lib/index.js'
import { type App, startApp } from './support/app.js'
import { connect, type RawClient } from './support/client.js'
import { startProvider } from './support/provider.js'

const MIB = 1024 * 1024
const chunked = { 'transfer-encoding': 'chunked' }
/** Of HTTP's own framing of chunks, and what sockets hold on either side. */
const PIECE = `${(16 * 1024).toString(16)}\r\n${'x'.repeat(16 * 1024)}\r\n`

/** Sends chunks as fast as they are taken, until the connection is closed. */
function upload(client: RawClient): void {
  const { socket } = client
  const writeOn = () => {
    while (!socket.destroyed) if (!socket.write(PIECE)) return
  }
  socket.on('drain', writeOn)
  writeOn()
}

/** What the app has read of each connection that is, or was, open. */
function connectionsOf({ server }: App): { readonly bytesRead: number }[] {
  const sockets: { readonly bytesRead: number }[] = []
  server.on('connection', (socket) => sockets.push(socket))
  return sockets
}

describe('a rejected upload', () => {
  const refused: [name: string, path: string, type: string, status: number, options: Partial<AiProxyOptions>][] = [
    [
      'JSON that grows too large',
      '/v1/chat/completions',
      'application/json',
      413,
      { limits: { maxRequestBytes: 1000 } },
    ],
    ['audio that grows too large', '/v1/audio/transcriptions', 'audio/wav', 413, { limits: { maxRequestBytes: 1000 } }],
    ['beyond maxHeldBytes', '/v1/chat/completions', 'application/json', 503, { limits: { maxHeldBytes: 100_000 } }],
    ['to an endpoint that is not allowed', '/v1/nothing', 'audio/wav', 404, {}],
  ]
  for (const errors of ['respond', 'next'] as const) {
    for (const [name, path, type, status, options] of refused) {
      test(`gets an answer, is read for at most 1 MiB, and loses its connection: ${name}, errors: '${errors}'`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(
          t,
          { target: provider.url, endpoints: ['chat/completions', 'audio/*'], errors, ...options },
          {
            after: (app) => {
              const answer: ErrorRequestHandler = (error, _req, res, _next) => {
                res.status(error.status).send('refused')
              }
              app.use(answer)
            },
          },
        )
        const connections = connectionsOf(app)
        const client = await connect(t, app.port)
        client.request('POST', `/ai${path}`, { 'content-type': type, ...chunked })
        upload(client)
        const head = await client.sees('\r\n\r\n')
        assert.match(head, new RegExp(`^HTTP/1.1 ${status} `))
        if (errors === 'respond') {
          assert.match(head, /\r\nconnection: close\r\n/i)
          await client.sees('"error"')
        }
        assert.equal((await app.record()).outcome === 'completed', false)
        await client.end()
        assert.ok(connections[0]!.bytesRead < 2 * MIB, `${connections[0]!.bytesRead}`)
        assert.equal(app.proxy.stats().heldBytes, 0)
      })
    }
  }

  test('keeps its connection open if it is short and completes', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const headers = { 'content-type': 'application/json', 'content-length': '10' }
    client.request('POST', '/ai/v1/nothing', headers)
    const head = await client.sees('\r\n\r\n')
    assert.match(head, /^HTTP\/1.1 404 /)
    assert.doesNotMatch(head, /connection: close/i)
    client.write('0123456789')
    client.request('GET', '/ai/v1/nothing')
    await client.sees('HTTP/1.1 404')
  })

  test("gets the provider's answer even before it is complete", async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: ['audio/*'] })
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/audio/transcriptions', { 'content-type': 'audio/wav', ...chunked })
    client.write(PIECE)
    const call = await provider.next()
    call.res.writeHead(413, { 'content-type': 'application/json', 'content-length': '2' }).end('{}')
    await client.sees('{}')
    client.leave()
    const { outcome, status } = await app.record()
    assert.deepEqual([outcome, status], ['provider_error', 413])
  })
})
