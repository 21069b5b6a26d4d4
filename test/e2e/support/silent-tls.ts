import net, { type AddressInfo, type Socket } from 'node:net'
import type { Owner } from './provider.js'
import { Queue } from './waiting.js'

/** Accepts connections but never sends a byte, so that no TLS handshake completes. */
export async function startSilentTls(t: Owner): Promise<{ url: string; next(): Promise<Socket> }> {
  const connections = new Queue<Socket>('a connection')
  const server = net.createServer((socket) => {
    socket.resume().on('error', () => {})
    connections.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(async () => {
    for (const socket of connections.all) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, next: () => connections.next() }
}
