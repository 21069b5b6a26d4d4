/** Many clients that each have one stream which does not end by itself. They stay between two jobs. */
import { Client } from '../client'
import { type Model, request } from '../wire'

interface Gather {
  port: number
  path: string
  model: Model
  clients: number
  /** Resolves when each has so many events… */
  events: number
  /** …and then, if true, none of them reads any more: their sockets stay open and fill up. */
  thenStopReading: boolean
}

let crowd: Client[] = []
let endings: Promise<void>[] = []

/** Starts one stream a client, and resolves when all are as far as asked. */
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

/** Events all of them got so far. */
export function counted(_: null): number {
  return crowd.reduce((sum, client) => sum + client.events, 0)
}

/** Resolves when all streams have been ended by the provider; rejects if one broke off instead. */
export async function whenEnded(_: null): Promise<void> {
  await Promise.all(endings)
}

/** All leave at once, in one turn of this process. */
export function leave(_: null): void {
  for (const client of crowd) client.leave()
  crowd = []
}
