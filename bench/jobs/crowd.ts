/** Many clients, each with one stream that does not end by itself. They stay connected between two jobs. */
import { Client } from '../client'
import { type Model, request } from '../wire'

interface Gather {
  port: number
  path: string
  model: Model
  clients: number
  /** Resolves when each client has this many events… */
  events: number
  /** …and then, if true, all of them stop reading: their sockets stay open and fill up. */
  thenStopReading: boolean
}

let crowd: Client[] = []
let endings: Promise<void>[] = []

/** Starts one stream per client. Resolves when all have got as far as requested. */
export async function gather({ port, path, model, clients, events, thenStopReading }: Gather): Promise<void> {
  crowd = await Client.connectMany(port, clients)
  const bytes = request(path, model)
  endings = []
  const arrivals = crowd.map((client) => {
    const arrived = new Promise<void>((resolve) => {
      client.onBody = () => {
        if (client.events < events) return true
        resolve()
        return !thenStopReading
      }
    })
    const ending = client.send(bytes)
    endings.push(ending)
    return Promise.race([arrived, ending])
  })
  await Promise.all(arrivals)
}

/** Returns the number of events that all clients have got. */
export function counted(_: null): number {
  return crowd.reduce((sum, client) => sum + client.events, 0)
}

/** Resolves when the provider has ended all streams. Rejects if one broke off instead. */
export async function whenEnded(_: null): Promise<void> {
  await Promise.all(endings)
}

/** Disconnects all clients in one turn of this process. */
export function leave(_: null): void {
  for (const client of crowd) client.leave()
  crowd = []
}
