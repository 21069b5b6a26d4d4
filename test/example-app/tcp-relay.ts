import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { beforeAppCloses } from './running-app.js'

/** A relay before an app, whose connections a test can cut. */
export async function tcpRelay(t: TestContext, target: string) {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isTruncated = false
  const server = createServer((client) => {
    if (isTruncated) return void client.resetAndDestroy()
    const upstream = connect(Number(port), hostname)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as { port: number }
  const cutAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  beforeAppCloses(t, async () => {
    server.close()
    cutAll()
  })
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      isTruncated = true
      cutAll()
    },
    restore() {
      isTruncated = false
    },
  }
}
