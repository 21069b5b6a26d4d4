import { Client } from '../client'
import { EVENTS_PER_PIECE, EVENTS_PER_STREAM, request, SHORT_STREAM, WHOLE_STREAM } from '../wire'

const EVENTS = { burst: EVENTS_PER_STREAM, 'burst-short': EVENTS_PER_PIECE }

const BYTES = { burst: WHOLE_STREAM.length, 'burst-short': SHORT_STREAM.length }

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
  // The provider's bytes: what a proxy adds is no throughput.
  const megabytes = (done * streams * BYTES[model]) / 1e6
  for (const client of clients) client.leave()
  return { megabytesPerSecond: megabytes / (elapsedMs / 1000), roundMs: elapsedMs / done }
}
