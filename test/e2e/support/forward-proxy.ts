import http, { type IncomingMessage } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import { listen, type Owner } from './provider.js'

/** A forward proxy, as companies run it between their servers and the internet. */
export interface ForwardProxy {
  readonly url: string
  /** The requests it got: `CONNECT host:port`, `GET http://…`, `SOCKS host:port`. */
  readonly asked: readonly string[]
  /** `proxy-authorization` of each request. */
  readonly credentials: readonly (string | undefined)[]
  /** The connections of its clients. */
  readonly connections: readonly Socket[]
}

/** @param refusal the head with which it answers every request, as lines */
export async function startForwardProxy(t: Owner, refusal?: readonly string[]): Promise<ForwardProxy> {
  const asked: string[] = []
  const credentials: (string | undefined)[] = []
  const connections: Socket[] = []
  const note = (req: IncomingMessage) => {
    asked.push(`${req.method} ${req.url}`)
    credentials.push(req.headers['proxy-authorization'])
  }
  const server = http.createServer((req, res) => {
    note(req)
    if (refusal) return void res.socket?.end(`${refusal.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`)
    const onward = http.request(req.url!, { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(res)
    })
    onward.on('error', () => res.destroy())
    res.on('close', () => onward.destroy())
    req.pipe(onward)
  })
  server.on('connect', (req: IncomingMessage, client: Socket, head: Buffer) => {
    note(req)
    if (refusal) {
      client.end(`${refusal.join('\r\n')}\r\ncontent-length: 6\r\n\r\nsecret`)
      return
    }
    const [, host, port] = /^(.*):(\d+)$/.exec(req.url!)!
    tunnel(t, client, net.connect(Number(port), host!), 'HTTP/1.1 200 Connection established\r\n\r\n', head)
  })
  server.on('connection', (socket: Socket) => connections.push(socket))
  return { url: `http://127.0.0.1:${await listen(t, server)}`, asked, credentials, connections }
}

/** SOCKS 5 without authentication: https://www.rfc-editor.org/rfc/rfc1928 */
export async function startSocksProxy(t: Owner): Promise<ForwardProxy> {
  const asked: string[] = []
  const connections: Socket[] = []
  const server = net.createServer((client) => {
    connections.push(client)
    client.on('error', () => {})
    client.once('data', () => {
      client.write(Buffer.from([5, 0]))
      client.once('data', (request) => {
        const isName = request[3] === 3
        const end = isName ? 5 + request[4]! : 8
        const host = isName ? request.toString('latin1', 5, end) : [...request.subarray(4, 8)].join('.')
        const port = request.readUInt16BE(end)
        asked.push(`SOCKS ${host}:${port}`)
        tunnel(t, client, net.connect(port, host), Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => server.close())
  return { url: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, credentials: [], connections }
}

function tunnel(t: Owner, client: Socket, onward: Socket, ready: string | Buffer, head?: Buffer): void {
  t.after(() => void client.destroy())
  client.on('error', () => {})
  onward.on('error', () => client.destroy()).on('close', () => client.destroy())
  client.on('close', () => onward.destroy())
  onward.once('connect', () => {
    client.write(ready)
    if (head) onward.write(head)
    client.pipe(onward).pipe(client)
  })
}
