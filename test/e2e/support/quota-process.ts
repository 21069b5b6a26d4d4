/** An app with quotas in Redis, of which the one at `/cut` cuts streams, in a process of its own: `fork` it with a {@link QuotaProcessSettings} as its argument. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Redis from 'ioredis'
import { createClient } from 'redis'
import { aiProxy } from '../../../lib/index.js'
import { type QuotaOptions, type QuotaRule, quota, redisStore } from '../../../lib/quota.js'

const prices = { 'gpt-test': { input: 0, output: 1e6 } }

/** What such a process is told. */
export interface QuotaProcessSettings {
  readonly redisPort: number
  /** The provider's address. */
  readonly target: string
  readonly client: 'ioredis' | 'redis'
  /** By the first word of the user that the header `x-user` names, for which `USER` stands in keys. */
  readonly limits: Readonly<Record<string, readonly QuotaRule[]>>
  readonly leaseMs: number
}

async function run({ redisPort, target, client: kind, limits, leaseMs }: QuotaProcessSettings): Promise<void> {
  const client = kind === 'ioredis' ? new Redis(redisPort, '127.0.0.1') : createClient({ socket: { port: redisPort } })
  client.on('error', () => {})
  if ('sendCommand' in client && kind === 'redis') await (client as ReturnType<typeof createClient>).connect()
  const shared: QuotaOptions = {
    store: redisStore({ client: client as Redis }),
    leaseMs,
    // A machine under load may stall for a while; what is tested is not how fast it is.
    storeTimeoutMs: 10_000,
    limits: ({ subject: { id } }) =>
      limits[id.split('-')[0] ?? '']?.map((rule) => ({ ...rule, key: rule.key.replace('USER', id) })) ?? [],
  }
  const finishing = quota(shared)
  const cutting = quota({ ...shared, onExhausted: 'cut', countInput: () => 0, assumedOutput: 4 })
  const app = express()
  for (const [at, policy] of [
    ['/ai', finishing],
    ['/cut', cutting],
  ] as const) {
    app.use(at, aiProxy({ target, identify: (req) => req.get('x-user') ?? null, policies: [policy], prices }))
  }
  // Redis answers in the order of the questions: everything that was asked before has been answered as well.
  app.get('/answered', async (_req, res) => {
    await cutting.status('nobody')
    res.end()
  })
  const server = http.createServer(app).listen(0, '127.0.0.1', () => {
    process.send?.((server.address() as AddressInfo).port)
  })
}

process.on('disconnect', () => process.exit())
void run(JSON.parse(process.argv[2] ?? '{}') as QuotaProcessSettings)
