import { connect, type Socket } from 'node:net'
import { percentile } from '../stats'
import { request, SENT_AT } from '../wire'

interface Chat {
  port: number
  path: string
  /** Number of concurrent chats. */
  chats: number
}

/** The delay of each event, in milliseconds, and the connections that receive them. */
let lateMs: number[] = []
let sockets: Socket[] = []

/** Opens chat streams whose events have the time at which they were sent. Resolves once each has received one. */
export async function startChat({ port, path, chats }: Chat): Promise<void> {
  lateMs = []
  const opened = Array.from({ length: chats }, () => openChat(port, path))
  sockets = opened.map(({ socket }) => socket)
  await Promise.all(opened.map(({ begun }) => begun))
}

/** Discards the samples so far, so that the measurement starts now. */
export function resetChat(_: null): void {
  lateMs = []
}

/** Ends the chats, and returns how late their events were. */
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
  // A running chat only ends when the job ends it.
  begun.catch(() => {})
  return { socket, begun }
}
