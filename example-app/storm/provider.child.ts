/** The provider of a storm, in a process of its own. It writes raw bytes, so it takes next to no CPU from the proxies. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Kind, ProviderName, ProviderState } from './messages.js'
import { END, EVENT, EVENTS, HALF_AN_EVENT, HEAD } from './provider-bytes.js'
import { answerShortly } from './short-answers.js'

const name = process.argv[2] as ProviderName

const generating = new Set<Socket>()
let idleSince = Date.now()

/** What it does for each kind of storm. The request names the kind as its model. */
const answers: Record<Exclude<Kind, 'outage'>, (socket: Socket) => void> = {
  /** The whole answer at once, faster than a proxy can pass it on. */
  burst(socket) {
    socket.end(Buffer.concat([EVENTS, END]))
  },
  /** An event every 40 ms, until the connection closes. */
  leave(socket) {
    const timer = setInterval(() => socket.write(EVENT), 40)
    socket.on('close', () => clearInterval(timer))
  },
  /** As much as the proxy takes, without an end. */
  stall(socket) {
    const fill = () => {
      while (!socket.destroyed && socket.write(EVENTS));
    }
    socket.on('drain', fill)
    fill()
  },
  /** A few events and half of another; then it resets the connection. */
  break(socket) {
    let left = 8
    const timer = setInterval(() => {
      if (left > 0) socket.write(EVENT)
      if (left === 0) socket.write(HALF_AN_EVENT, () => socket.resetAndDestroy())
      left--
    }, 100)
    socket.on('close', () => clearInterval(timer))
  },
}

const server = createServer(async (req, res) => {
  const { socket } = req
  const { model, stream } = (await json(req)) as { model: Kind; stream: boolean }
  if (model === 'outage') return answerShortly(res, stream, name)
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
  const report = () => process.send?.({ port, generating: generating.size, idleSince } satisfies ProviderState)
  report()
  setInterval(report, 50)
})
process.on('disconnect', () => process.exit())
