import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import type { Owner } from '../e2e/support/provider.js'

export interface CuttingRelay {
  readonly port: number
  /** Bytes after the first head on each connection, after which it breaks; connections that follow do not. */
  readonly cuts: number[]
  /** Number of connections that were broken. */
  readonly broken: number
  /** Breaks all connections. */
  breakAll(): void
}

/** Stands between a client and an app, and breaks connections at any byte. */
export async function startRelay(t: Owner, appPort: number): Promise<CuttingRelay> {
  const cuts: number[] = []
  const pairs = new Set<readonly [Socket, Socket]>()
  let broken = 0
  const server = createServer((client) => {
    const app = createConnection(appPort, '127.0.0.1')
    const pair = [client, app] as const
    pairs.add(pair)
    let left = cuts.shift() ?? Number.POSITIVE_INFINITY
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      app.destroy()
    }
    client.on('error', end).on('close', end)
    app.on('error', end).on('close', end)
    client.pipe(app)
    /** What came before the body, whose head the client must get: without it, a request fails as usual. */
    let head = Buffer.alloc(0)
    app.on('data', (bytes: Buffer) => {
      let ahead = 0
      if (!head.includes('\r\n\r\n')) {
        const before = head.length
        head = Buffer.concat([head, bytes])
        const end = head.indexOf('\r\n\r\n')
        ahead = end === -1 ? bytes.length : end + 4 - before
        left += ahead
      }
      if (ahead === bytes.length || bytes.length < left) {
        left -= bytes.length
        client.write(bytes)
        return
      }
      const last = bytes.subarray(0, left)
      broken++
      app.removeAllListeners('data').destroy()
      // What was written before still arrives.
      client.end(last)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const breakAll = () => {
    for (const [client, app] of pairs) {
      broken++
      client.resetAndDestroy()
      app.destroy()
    }
  }
  t.after(async () => {
    breakAll()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    port: (server.address() as AddressInfo).port,
    cuts,
    get broken() {
      return broken
    },
    breakAll,
  }
}
