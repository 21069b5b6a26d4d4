import { once } from 'node:events'
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

interface Received {
  readonly client: ClientRequest
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/**
 * Sends a request to a new server and passes on both ends of it.
 *
 * @param send writes the body; by default there is none
 */
export async function withRequest<T>(
  options: RequestOptions,
  send: (client: ClientRequest) => void,
  use: (received: Received) => Promise<T>,
): Promise<T> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = request({ host: '127.0.0.1', port, method: 'POST', agent: false, ...options })
  client.on('error', () => {})
  try {
    const received = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
    send(client)
    const [req, res] = await received
    return await use({ client, req, res })
  } finally {
    client.destroy()
    server.closeAllConnections()
    server.close()
  }
}
