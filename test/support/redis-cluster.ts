import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import Redis from 'ioredis'
import { freePort } from './free-port.js'
import { type RedisServer, startRedis } from './redis.js'

/** Starts a cluster of one server that has all slots: it refuses what a larger one refuses. Needs Redis 7. */
export async function startRedisCluster(): Promise<RedisServer> {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port']
  // The default is 10,000 above the other port, which may be too high.
  const server = await startRedis([...args, String(await freePort())])
  const client = new Redis(server.port, '127.0.0.1')
  try {
    await once(client, 'ready')
    await client.cluster('ADDSLOTSRANGE', 0, 16_383)
    // It serves no keys in its first two seconds, and has no event for their end.
    while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await setTimeout(20)
  } finally {
    client.disconnect()
  }
  return server
}
