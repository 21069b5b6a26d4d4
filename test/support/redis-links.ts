import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A link to a Redis server that takes its time, or a server that is none. */
export interface RedisLink {
  readonly port: number
  /** The names of the commands that have passed, in capitals. */
  readonly commands: readonly string[]
  close(): Promise<void>
}

/** Each command that a client sends begins a list, and its name is the first text of that. */
function commandsIn(bytes: Buffer): string[] {
  return [...bytes.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)].map(([, name]) =>
    name!.toUpperCase(),
  )
}

/** Starts a link to a server that delivers each answer late. */
export async function slowRedis(serverPort: number, delayMs: number): Promise<RedisLink> {
  const commands: string[] = []
  return listening(commands, (client) => {
    const server = connect(serverPort, '127.0.0.1')
    client.on('data', (bytes) => {
      commands.push(...commandsIn(bytes))
      server.write(bytes)
    })
    server.on('data', (bytes) => void setTimeout(() => client.destroyed || client.write(bytes), delayMs))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    server.on('error', () => {})
  })
}

/** A link that can break. */
export interface BreakingLink extends RedisLink {
  /** Breaks the connection instead of delivering the next answer: the server has done what it was asked. */
  loseNext(): void
}

/** Starts a link to a server that can lose answers. */
export async function breakingRedis(serverPort: number): Promise<BreakingLink> {
  let isLost = false
  const link = await listening([], (client) => {
    const server = connect(serverPort, '127.0.0.1')
    client.on('data', (bytes) => server.write(bytes))
    server.on('data', (bytes) => {
      if (isLost) client.destroy()
      else if (!client.destroyed) client.write(bytes)
      isLost = false
    })
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    server.on('error', () => {})
  })
  const loseNext = () => {
    isLost = true
  }
  return { ...link, loseNext }
}

/** Starts a server that says `+OK` to everything, and something else to scripts; nothing if that is undefined. */
export async function fakeRedis(answer: string | undefined): Promise<RedisLink> {
  const commands: string[] = []
  return listening(commands, (client) => {
    client.on('data', (bytes) => {
      for (const name of commandsIn(bytes)) {
        commands.push(name)
        const isScript = name === 'EVALSHA' || name === 'EVAL'
        const text = isScript ? answer : '+OK\r\n'
        if (text !== undefined && !client.destroyed) client.write(text)
      }
    })
  })
}

async function listening(commands: readonly string[], onClient: (client: Socket) => void): Promise<RedisLink> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => {})
    client.on('close', () => clients.delete(client))
    onClient(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    close: async () => {
      for (const client of clients) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
