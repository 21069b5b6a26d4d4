/** The clients of a storm, a process of its own. It does what it is told in messages. */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { CrowdState, Kind, ToCrowd } from './wire.js'

const state: CrowdState = { isWarm: false, receivedBytes: 0, ended: 0, told: 0, cut: 0, refused: 0, tail: '' }
const agent = new Agent({ keepAlive: true })
const underWay = new Set<ClientRequest>()
let hasLeft = false

process.on('message', async (message: ToCrowd) => {
  if (message.say === 'warm up') await warmUp(message.url)
  if (message.say === 'go') for (let n = 0; n < message.streams; n++) stream(message.url, message.kind)
  if (message.say === 'leave') leave()
})

/** Some streams before it counts, for code that has not run yet is slow, whoever wrote it. */
async function warmUp(url: string): Promise<void> {
  const one = () => new Promise<void>((resolve) => ask(url, 'burst').on('close', resolve))
  for (let round = 0; round < 4; round++) await Promise.all([one(), one(), one(), one()])
  Object.assign(state, { isWarm: true, receivedBytes: 0 })
}

function stream(url: string, kind: Kind): void {
  let tail = ''
  const call = ask(url, kind)
  underWay.add(call)
  call.on('response', (answer) => {
    if (kind === 'stall') return stall(answer)
    if (kind !== 'break') return
    answer.on('data', (bytes: Buffer) => {
      tail = (tail + bytes.toString()).slice(-600)
      state.tail = tail
    })
  })
  call.on('close', () => {
    underWay.delete(call)
    if (hasLeft) return
    state.ended++
    if (!wasWhole.has(call)) state.cut++
    else if (/"error"/.test(tail)) state.told++
    // As soon as a stream has ended, its client asks for another.
    if (kind === 'burst' && wasWhole.has(call)) stream(url, kind)
  })
}

const wasWhole = new WeakSet<ClientRequest>()

/** Sends a request and counts what comes. */
function ask(url: string, kind: Kind): ClientRequest {
  const body = JSON.stringify({ model: kind, stream: true, messages: [{ role: 'user', content: 'Go!' }] })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const call = request(`${url}/ai/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
    answer.on('data', (bytes: Buffer) => {
      state.receivedBytes += bytes.length
    })
    if (answer.statusCode !== 200) state.refused++
    else answer.on('end', () => wasWhole.add(call))
    answer.on('error', () => {})
  })
  call.on('error', () => {})
  return call.end(body)
}

/** Reads the first bytes, and then not one more. */
function stall(answer: IncomingMessage): void {
  answer.once('data', () => answer.pause())
}

function leave(): void {
  hasLeft = true
  for (const call of underWay) call.destroy()
}

process.on('disconnect', () => process.exit())
const tell = () => process.send?.(state)
tell()
setInterval(tell, 50)
