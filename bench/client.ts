/** One keep-alive connection of the load: a raw socket with a shared read buffer that parses as little as possible. */
import { connect, type Socket } from 'node:net'
import { MARK } from './wire'

/** Shared by all connections: the data of a read is processed before the next read. */
const shared = Buffer.allocUnsafeSlow(256 * 1024)

const CONNECTED_AT_ONCE = 500

const LAST_CHUNK = '\r\n0\r\n\r\n'

export class Client {
  /** Events and bytes of all bodies so far; bytes include HTTP's chunk framing. */
  events = 0
  bytes = 0
  /** Called after each read of a body. Return false to stop reading for good. */
  onBody: (() => boolean) | undefined

  private readonly socket: Socket
  private head = ''
  /** Bytes of the body that are still missing: undefined before the end of the head, -1 if the body is chunked. */
  private left: number | undefined
  /** The last bytes of a chunked body, which show its end even if a read splits it. */
  private tail = ''
  private done: (() => void) | undefined
  private fail: ((error: Error) => void) | undefined

  private constructor(port: number, connected: (client: Client) => void, failed: (error: Error) => void) {
    this.fail = failed
    const onread = { buffer: shared, callback: (size: number) => this.read(shared.subarray(0, size)) }
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread }, () => connected(this))
    this.socket.on('error', (error) => this.broke(error.message))
    this.socket.on('close', () => this.broke('closed'))
  }

  static connect(port: number): Promise<Client> {
    return new Promise((resolve, reject) => new Client(port, resolve, reject))
  }

  /** Not all at once: a connection that overflows the server's backlog is only retried after a second. */
  static async connectMany(port: number, count: number): Promise<Client[]> {
    const clients: Client[] = []
    while (clients.length < count) {
      const some = Math.min(CONNECTED_AT_ONCE, count - clients.length)
      clients.push(...(await Promise.all(Array.from({ length: some }, () => Client.connect(port)))))
    }
    return clients
  }

  /** Sends a request's bytes. Resolves when the whole response has arrived, rejects if it breaks off. */
  send(request: Buffer): Promise<void> {
    this.head = ''
    this.left = undefined
    this.tail = ''
    return new Promise((resolve, reject) => {
      this.done = resolve
      this.fail = reject
      this.socket.write(request)
    })
  }

  /** Disconnects at once, as a browser tab does. A running response is neither resolved nor rejected. */
  leave(): void {
    this.done = undefined
    this.fail = undefined
    this.socket.destroy()
  }

  private broke(why: string): void {
    this.fail?.(new Error(`the connection broke off after ${this.events} events: ${why}`))
  }

  private read(bytes: Buffer): boolean {
    const body = this.left === undefined ? this.readHead(bytes) : bytes
    if (body === undefined) return true
    this.bytes += body.length
    for (let at = body.indexOf(MARK); at !== -1; at = body.indexOf(MARK, at + 1)) this.events += 1
    const goOn = this.onBody?.() ?? true
    if (this.isEnd(body)) this.done?.()
    return goOn
  }

  /** Consumes the head. Returns what follows it, or undefined if the head is incomplete. */
  private readHead(bytes: Buffer): Buffer | undefined {
    const before = this.head.length
    this.head += bytes.toString('latin1')
    const end = this.head.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const head = this.head.slice(0, end)
    if (!head.startsWith('HTTP/1.1 200')) this.fail?.(new Error(`got ${head.slice(0, 40)}`))
    this.left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? -1)
    return bytes.subarray(end + 4 - before)
  }

  private isEnd(body: Buffer): boolean {
    if (this.left !== -1) {
      this.left! -= body.length
      return this.left === 0
    }
    const last = body.toString('latin1', Math.max(0, body.length - LAST_CHUNK.length))
    this.tail = (this.tail + last).slice(-LAST_CHUNK.length)
    return this.tail === LAST_CHUNK
  }
}
