import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below those that Linux gives to connections, and to servers that ask for any port: nobody else takes one while its server has
 * not started yet, or is down.
 */
const PORTS = { from: 20_000, to: 32_000 }

/** Returns a port of 127.0.0.1 on which nothing listens now, for a server that cannot choose one itself. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
