/** What providers and clients do in more than one kind of exchange. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Call } from '../e2e/support/provider.js'
import type { Client } from './client.js'
import { DONE, EVENT, LARGE_EVENT } from './events.js'

export const begins = (call: Call) => call.sse([EVENT])

export async function drips(call: Call, events: number, everyMs = 100): Promise<void> {
  call.sse()
  for (let n = 0; n < events && !call.socket.destroyed; n++) {
    call.send(EVENT)
    await sleep(everyMs)
  }
  call.end(DONE)
}

/** Sends as fast as the proxy reads: more than 8 MB each, because that much fits into the buffers on the way. */
export const floods = (call: Call) => call.sse().flood(LARGE_EVENT)

/** Waits until the provider's connection is closed, so that it stops generating. */
export const gone = async (call: Promise<Call>) => {
  const { socket } = await call
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** Asserts that the client gets a whole answer of this many events. */
export const gets = (status: number, events: number) => async (client: Client) => {
  assert.equal(await client.over, 'whole')
  assert.deepEqual([client.status, client.events], [status, events])
}

/** Asserts that the client gets an error, in an answer that is complete in HTTP. */
export const isTold = (status: number | readonly number[], code: string) => async (client: Client) => {
  assert.equal(await client.over, 'whole')
  assert.ok([status].flat().includes(client.status), `status ${client.status}`)
  assert.ok(client.tail.includes(`"${code}"`), `no ${code} in ${client.tail}`)
}

export const leavesAfter = (bytes: number) => async (client: Client, call: Promise<Call>) => {
  await client.begun
  while (client.bytes < bytes) await sleep(5)
  client.leave()
  await gone(call)
}
