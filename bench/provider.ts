/**
 * The provider: raw sockets that send precomputed bytes, so that it costs next to nothing compared with the proxy. Each
 * request's `model` says what to send, see `Model` in wire.ts.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Drips } from './drips'
import { answerWith } from './rpc'
import { chatEvent, EVENT, JSON_ANSWER, PIECE, SHORT_STREAM, STREAM_END, STREAM_HEAD, WHOLE_STREAM } from './wire'

const drips = new Drips()

/** Bytes written in all responses so far. Some of them may still wait for a slow reader. */
let writtenBytes = 0

const server = createServer({ noDelay: true }, (socket) => {
  let input = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    input += text
    const model = modelOf(input)
    if (model === undefined) return
    input = ''
    void answer(socket, model)
  })
  socket.on('error', () => socket.destroy())
})

/** The model of a complete request, else undefined. No client sends a second request before the answer. */
function modelOf(input: string): string | undefined {
  const headEnd = input.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = input.slice(0, headEnd)
  const body = input.slice(headEnd + 4)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const whole = length === undefined ? body.endsWith('0\r\n\r\n') : body.length >= Number(length)
  return whole ? (/"model":"([^"]+)"/.exec(body)?.[1] ?? 'none') : undefined
}

async function answer(socket: Socket, model: string): Promise<void> {
  if (model === 'json') socket.write(JSON_ANSWER)
  else if (model === 'burst') socket.write(WHOLE_STREAM)
  else if (model === 'burst-short') socket.write(SHORT_STREAM)
  else if (model === 'drip') drip(socket)
  else if (model === 'silent') silent(socket)
  else if (model === 'chat') chat(socket)
  else if (model === 'first') firstEvent(socket)
  else if (model.startsWith('bulk-')) await bulk(socket, Number(model.slice('bulk-'.length)))
  else socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
}

function drip(socket: Socket): void {
  socket.write(STREAM_HEAD)
  drips.add(socket)
}

/** Sends one event, and nothing else until all drips are finished. */
function silent(socket: Socket): void {
  socket.write(Buffer.concat([STREAM_HEAD, EVENT]))
  drips.addSilent(socket)
}

/** Sends an event every 20 ms with the time at which it was sent, until the client leaves. */
function chat(socket: Socket): void {
  socket.write(STREAM_HEAD)
  const timer = setInterval(() => socket.write(chatEvent(performance.timeOrigin + performance.now())), 20)
  socket.once('close', () => clearInterval(timer))
}

function firstEvent(socket: Socket): void {
  socket.write(Buffer.concat([STREAM_HEAD, EVENT]))
  setTimeout(() => socket.write(STREAM_END), 1)
}

/** Sends many pieces, as fast as they are read, and then drips. */
async function bulk(socket: Socket, pieces: number): Promise<void> {
  socket.write(STREAM_HEAD)
  for (let sent = 0; sent < pieces; sent += 1) {
    writtenBytes += PIECE.length
    if (!socket.write(PIECE)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
    if (socket.destroyed) return
  }
  drips.add(socket)
}

const api = {
  /** Listens on a free local port, and returns it. */
  async listen(_: null) {
    server.listen(0, '127.0.0.1', 1024)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  /** Ends every drip properly. Returns how many events all of them got since the last call. */
  finishDrips: (_: null) => drips.finish(),
  /** What is in progress: dripping streams, and bytes written to bulk streams. */
  state: (_: null) => ({ drips: drips.size, writtenBytes }),
}

export type ProviderApi = typeof api
answerWith(api)
