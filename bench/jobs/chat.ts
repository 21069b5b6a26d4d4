import { connect, type Socket } from 'node:net'
import { percentile } from '../stats'
import { request, SENT_AT } from '../wire'

interface Chat {
  port: number
  path: string
  /** How many chats run side by side. */
  chats: number
}

/** How late each event came, in milliseconds, and the connections that they come by. */
let lateMs: number[] = []
let sockets: Socket[] = []

/** Opens chat streams whose events say when they were sent. Resolves once each has had one. */
export async function startChat({ port, path, chats }: Chat): Promise<void> {
  lateMs = []
  const opened = Array.from({ length: chats }, () => openChat(port, path))
  sockets = opened.map(({ socket }) => socket)
  await Promise.all(opened.map(({ begun }) => begun))
}

/** Forgets what has come so far: what is measured begins now. */
export function resetChat(_: null): void {
  lateMs = []
}

/** Ends the chats, and says how late their events were. */
export function stopChat(_: null) {
  for (const socket of sockets) socket.destroy()
  sockets = []
  return { p99Ms: percentile(lateMs, 0.99), medianMs: percentile(lateMs, 0.5), events: lateMs.length }
}

function openChat(port: number, path: string): { socket: Socket; begun: Promise<void> } {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request(path, 'chat')))
  socket.setEncoding('latin1')
  const begun = new Promise<void>((resolve, reject) => {
    let rest = ''
    socket.on('data', (text: string) => {
      const now = performance.timeOrigin + performance.now()
      rest += text
      for (const [found, sentAt] of rest.matchAll(SENT_AT)) {
        lateMs.push(now - Number(sentAt))
        rest = rest.slice(rest.indexOf(found) + found.length)
        resolve()
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the chat broke off')))
  })
  // Once it has begun, it ends when the job ends it.
  begun.catch(() => {})
  return { socket, begun }
}
