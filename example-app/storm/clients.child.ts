/** The clients of a storm, in a process of its own. It takes commands as messages. */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { ClientsCommand, ClientsState, Kind } from './messages.js'
import { ShortRequests } from './short-requests.js'

const state: ClientsState = { isWarm: false, receivedBytes: 0, ended: 0, toldError: 0, cut: 0, refused: 0, tail: '' }
const agent = new Agent({ keepAlive: true })
const running = new Set<ClientRequest>()
let hasLeft = false
let shortRequests: ShortRequests | undefined

process.on('message', async (message: ClientsCommand) => {
  if (message.command === 'warm-up') await warmUp(message.url)
  if (message.command === 'start') start(message)
  if (message.command === 'leave') leave()
  if (message.command === 'finish') shortRequests?.finish()
})

function start({ url, kind, streams }: Extract<ClientsCommand, { command: 'start' }>): void {
  if (kind === 'outage') {
    shortRequests = new ShortRequests(url, agent)
    state.tally = shortRequests.tally
    shortRequests.start(streams)
  } else {
    for (let n = 0; n < streams; n++) stream(url, kind)
  }
}

/** Runs some streams before the measurement: code that has never run is slow. */
async function warmUp(url: string): Promise<void> {
  const one = () => new Promise<void>((resolve) => ask(url, 'burst').on('close', resolve))
  for (let round = 0; round < 4; round++) await Promise.all([one(), one(), one(), one()])
  Object.assign(state, { isWarm: true, receivedBytes: 0 })
}

function stream(url: string, kind: Kind): void {
  let tail = ''
  const call = ask(url, kind)
  running.add(call)
  call.on('response', (answer) => {
    if (kind === 'stall') return stall(answer)
    if (kind !== 'break') return
    answer.on('data', (bytes: Buffer) => {
      tail = (tail + bytes.toString()).slice(-600)
      state.tail = tail
    })
  })
  call.on('close', () => {
    running.delete(call)
    if (hasLeft) return
    state.ended++
    if (!completed.has(call)) state.cut++
    else if (/"error"/.test(tail)) state.toldError++
    // When a stream has ended, its client asks for another.
    if (kind === 'burst' && completed.has(call)) stream(url, kind)
  })
}

const completed = new WeakSet<ClientRequest>()

/** Sends a request and counts the bytes of its answer. */
function ask(url: string, kind: Kind): ClientRequest {
  const body = JSON.stringify({ model: kind, stream: true, messages: [{ role: 'user', content: 'Go!' }] })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const call = request(`${url}/ai/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
    answer.on('data', (bytes: Buffer) => {
      state.receivedBytes += bytes.length
    })
    if (answer.statusCode !== 200) state.refused++
    else answer.on('end', () => completed.add(call))
    answer.on('error', () => {})
  })
  call.on('error', () => {})
  return call.end(body)
}

/** Reads the first bytes and no more. */
function stall(answer: IncomingMessage): void {
  answer.once('data', () => answer.pause())
}

function leave(): void {
  hasLeft = true
  for (const call of running) call.destroy()
}

process.on('disconnect', () => process.exit())
const report = () => process.send?.(state)
report()
setInterval(report, 50)
