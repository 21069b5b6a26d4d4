import net, { type Socket } from 'node:net'
import { setImmediate as nextRound } from 'node:timers/promises'
import { freePort } from '../../../support/free-port.js'
import type { Owner } from '../../support/provider.js'
import { type Answer, pieces } from './answers.js'

/** A request as it arrived at a scripted provider. */
export interface SeenRequest {
  /** The first segment of its path, which tells whose it is. */
  readonly script: string
  /** The target at which it arrived. */
  readonly target: number
  readonly head: string
  readonly authorization: string
  readonly body: string
  readonly connection: Socket
  /** The connection had carried another request. */
  readonly isReused: boolean
}

/** How to answer a request. */
export interface Reply {
  readonly answer: Answer
  /** How many bytes of it go out, and what follows. */
  readonly length: number
  readonly then: 'reset' | 'end' | 'stall' | 'keep-alive'
  readonly writes: readonly number[]
}

/** Providers that live through all scripts. They write bytes, not HTTP, so that an answer can be cut anywhere. */
export interface ScriptedTargets {
  readonly ports: readonly number[]
  /** A port on which nothing listens. */
  readonly closedPort: number
}

export async function startTargets(
  t: Owner,
  count: number,
  onRequest: (request: SeenRequest) => Reply | undefined,
): Promise<ScriptedTargets> {
  const ports: number[] = []
  for (let target = 0; target < count; target++) {
    const sockets = new Set<Socket>()
    const server = net.createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      readRequests(socket, target, onRequest)
    })
    ports.push(await listenOn(server))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  }
  return { ports, closedPort: await freePort() }
}

async function listenOn(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return (server.address() as net.AddressInfo).port
}

function readRequests(socket: Socket, target: number, onRequest: (request: SeenRequest) => Reply | undefined): void {
  let text = ''
  let count = 0
  socket.setEncoding('latin1')
  socket.on('data', (more) => {
    text += more
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = text.slice(0, end)
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
    if (text.length < end + 4 + length) return
    const body = text.slice(end + 4, end + 4 + length)
    text = ''
    const script = /^\w+ \/(\w+)/.exec(head)?.[1] ?? ''
    const authorization = /^authorization: *(.*)$/im.exec(head)?.[1] ?? ''
    const isReused = count++ > 0
    const reply = onRequest({ script, target, head, authorization, body, connection: socket, isReused })
    if (reply) void play(socket, reply)
    else socket.destroy()
  })
}

async function play(socket: Socket, { answer, length, then, writes }: Reply): Promise<void> {
  for (const piece of pieces(answer.wire.subarray(0, length), writes)) {
    if (!socket.writable) return
    socket.write(piece)
    await nextRound()
  }
  if (!socket.writable) return
  if (then === 'reset') socket.resetAndDestroy()
  else if (then === 'end') socket.end()
}
