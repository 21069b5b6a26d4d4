import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { HeldBytes } from '../../lib/exchange/held-bytes.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { hasArrived, readAll } from '../../lib/request/arriving-body.js'
import { sharedTurns } from '../../lib/scheduling/turns.js'

interface Arrived {
  readonly bytes: string
  /** As Node says while the bytes are there. */
  readonly isComplete: boolean
  readonly hasArrived: boolean
}

/** Serves requests whose bodies are read as the proxy reads them. */
async function startServer(
  t: TestContext,
  onArrived: (arrived: Arrived, req: IncomingMessage) => void,
  onHead: () => void = () => {},
) {
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    const held = new HeldBytes(defaultLimits)
    const resources = { share: held.share(), turns: sharedTurns() }
    const length = Number(req.headers['content-length'])
    readAll(req, length, defaultLimits, () => {}, resources).then((bytes) => {
      assert.equal(held.count, bytes.length)
      onArrived({ bytes: bytes.toString(), isComplete: req.complete, hasArrived: hasArrived(req) }, req)
      res.end('answer')
    })
    onHead()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1')
  t.after(() => client.destroy())
  return client
}

const head = (length: number) => `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n`

describe('a small body', () => {
  test('is taken with its head, before Node says that it is whole; the request still ends', async (t) => {
    const requests: IncomingMessage[] = []
    const arrived: Arrived[] = []
    const ended: Promise<unknown>[] = []
    const client = await startServer(t, (each, req) => {
      arrived.push(each)
      requests.push(req)
      ended.push(once(req, 'end'), once(req, 'close'))
    })
    client.write(`${head(5)}first${head(6)}second`)
    let text = ''
    while (text.split('answer').length < 3) text += (await once(client, 'data'))[0]
    await Promise.all(ended)
    assert.deepEqual(arrived, [
      { bytes: 'first', isComplete: false, hasArrived: true },
      { bytes: 'second', isComplete: false, hasArrived: true },
    ])
    assert.deepEqual(
      requests.map((req) => [req.complete, req.readableEnded, req.destroyed]),
      [
        [true, true, true],
        [true, true, true],
      ],
    )
  })

  test('is awaited if a byte of it is still to come', async (t) => {
    let sendLast = () => {}
    const arrival = new Promise<Arrived>((resolve) => {
      const started = startServer(t, resolve, () => setImmediate(() => sendLast()))
      void started.then((client) => {
        sendLast = () => client.write('t')
        client.write(`${head(5)}firs`)
      })
    })
    assert.deepEqual(await arrival, { bytes: 'first', isComplete: true, hasArrived: true })
  })
})
