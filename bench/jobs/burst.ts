import { Client } from '../client'
import { EVENTS_PER_PIECE, EVENTS_PER_STREAM, request } from '../wire'

const EVENTS = { burst: EVENTS_PER_STREAM, 'burst-short': EVENTS_PER_PIECE }

interface Burst {
  port: number
  path: string
  model: keyof typeof EVENTS
  /** Number of concurrent streams. */
  streams: number
  /** The minimum number of rounds, one after another, and of milliseconds. */
  rounds: number
  forMs: number
}

/** Starts bursting streams together, and again when all have ended. Returns the throughput in MB (10^6) per second. */
export async function burst({ port, path, model, streams, rounds, forMs }: Burst) {
  const clients = await Client.connectMany(port, streams)
  const bytes = request(path, model)
  const startedAt = performance.now()
  let done = 0
  let elapsedMs = 0
  while (done < rounds || elapsedMs < forMs) {
    await Promise.all(clients.map((client) => client.send(bytes)))
    done += 1
    elapsedMs = performance.now() - startedAt
    const lost = clients.filter((client) => client.events !== done * EVENTS[model])
    if (lost.length > 0) throw new Error(`${lost.length} of ${streams} streams lost events`)
  }
  const megabytes = clients.reduce((sum, client) => sum + client.bytes, 0) / 1e6
  for (const client of clients) client.leave()
  return { megabytesPerSecond: megabytes / (elapsedMs / 1000), roundMs: elapsedMs / done }
}
