import { Client } from '../client'
import { type Model, request } from '../wire'

interface Small {
  port: number
  path: string
  /** Small JSON answers by default. */
  model?: Model
  clients: number
  forMs: number
}

/** Requests small answers over keep-alive connections. Each client asks again as soon as it has its answer. */
export async function small({ port, path, model = 'json', clients: count, forMs }: Small) {
  const clients = await Client.connectMany(port, count)
  const bytes = request(path, model)
  const startedAt = performance.now()
  let answers = 0
  async function askAgainAndAgain(client: Client): Promise<void> {
    while (performance.now() - startedAt < forMs) {
      await client.send(bytes)
      answers += 1
    }
  }
  await Promise.all(clients.map(askAgainAndAgain))
  const elapsedMs = performance.now() - startedAt
  const whole = clients.reduce((sum, client) => sum + client.events, 0)
  for (const client of clients) client.leave()
  if (whole !== answers) throw new Error(`${answers} answers, of which ${whole} were whole`)
  return { requestsPerSecond: answers / (elapsedMs / 1000) }
}
