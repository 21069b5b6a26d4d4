/** The provider of a storm, a process of its own: raw bytes, so that it costs next to nothing beside the proxies. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { END, HALF_A_WORD, HEAD, type Kind, type ProviderState, WORD, WORDS } from './wire.js'

const generating = new Set<Socket>()
let idleSince = Date.now()

/** What it does is what the request names as its model. */
const answers: Record<Kind, (socket: Socket) => void> = {
  /** The whole answer at once, faster than anybody can pass it on. */
  burst(socket) {
    socket.end(Buffer.concat([WORDS, END]))
  },
  /** An event now and then, for ever: whoever does not leave keeps it generating. */
  leave(socket) {
    const timer = setInterval(() => socket.write(WORD), 40)
    socket.on('close', () => clearInterval(timer))
  },
  /** As much as is taken, and there is always more. */
  stall(socket) {
    const fill = () => {
      while (!socket.destroyed && socket.write(WORDS));
    }
    socket.on('drain', fill)
    fill()
  },
  /** A few events, half of another, and gone. */
  break(socket) {
    let left = 8
    const timer = setInterval(() => {
      if (left > 0) socket.write(WORD)
      if (left === 0) socket.write(HALF_A_WORD, () => socket.resetAndDestroy())
      left--
    }, 100)
    socket.on('close', () => clearInterval(timer))
  },
}

const server = createServer(async (req, _res) => {
  const { socket } = req
  const { model } = (await json(req)) as { model: Kind }
  generating.add(socket)
  socket.on('close', () => {
    generating.delete(socket)
    if (generating.size === 0) idleSince = Date.now()
  })
  socket.on('error', () => {})
  socket.write(HEAD)
  answers[model](socket)
})

server.listen(0, '127.0.0.1', 1024, () => {
  const { port } = server.address() as AddressInfo
  const tell = () => process.send?.({ port, generating: generating.size, idleSince } satisfies ProviderState)
  tell()
  setInterval(tell, 50)
})
process.on('disconnect', () => process.exit())
