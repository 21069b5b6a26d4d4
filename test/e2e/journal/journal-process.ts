/** An app whose journal is in Redis, in a process of its own: `fork` it with the port of Redis and the provider's URL. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Redis } from 'ioredis'
import { aiProxy } from '../../../lib/index.js'
import { redisJournal } from '../../../lib/journal.js'

function run(redisPort: number, target: string): void {
  // A machine under load may stall for a while; what is tested is not how fast it is.
  const journal = redisJournal({ client: new Redis(redisPort, '127.0.0.1'), timeoutMs: 10_000 })
  const app = express()
  app.use('/ai', aiProxy({ target, resume: { journal, who: (req) => req.get('x-user') } }))
  const server = http.createServer(app).listen(0, '127.0.0.1', () => {
    process.send?.((server.address() as AddressInfo).port)
  })
}

process.on('disconnect', () => process.exit())
run(Number(process.argv[2]), process.argv[3]!)
