import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { RedisClient } from '../../lib/journal.js'

/** A client of a test, and what closes it. */
export interface TestClient {
  readonly client: RedisClient
  close(): void
}

/** Connects each kind of client to a server. */
export const clients: Readonly<Record<'ioredis' | 'redis', (port: number) => Promise<TestClient>>> = {
  ioredis: async (port) => {
    const client = new Redis(port, '127.0.0.1')
    client.on('error', () => {})
    return { client, close: () => client.disconnect() }
  },
  redis: async (port) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}` })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  },
}

/** Connects each kind of client to a cluster. */
export const clusterClients: typeof clients = {
  ioredis: async (port) => {
    const client = new Cluster([{ host: '127.0.0.1', port }])
    client.on('error', () => {})
    return { client, close: () => client.disconnect() }
  },
  redis: async (port) => {
    const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  },
}

/** The kinds of clients. */
export const clientNames = ['ioredis', 'redis'] as const
