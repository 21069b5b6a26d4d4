/** The same as `quota`, in a Redis of this machine, which runs on the core that the proxy does not use. */
const { spawn } = require('node:child_process')
const { mkdtempSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const Redis = require('ioredis').default
const { aiProxy } = require('express-ai-proxy')
const { quota, redisStore } = require('express-ai-proxy/quota')
const serve = require('./serve.cjs')

const socket = join(mkdtempSync(join(tmpdir(), 'bench-redis-')), 'redis.sock')
const command = ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no']
const core = process.env.BENCH_OTHER_CORE
const [program, ...args] = core ? ['taskset', '-c', core, ...command] : command
const server = spawn(program, args, { stdio: 'ignore' })
process.on('exit', () => server.kill('SIGKILL'))

const client = new Redis(socket, { retryStrategy: () => 20, maxRetriesPerRequest: null })
client.on('error', () => {}) // It is not there yet.

const limits = { maxConcurrentExchanges: false }
const identify = (req) => req.headers['x-tenant'] ?? 'nobody'
const limitsOf = ({ subject }) => [
  { key: `user:${subject.id}`, requests: 1e9, per: '1m' },
  { key: `user:${subject.id}`, tokens: 1e12, per: '1d' },
  { key: `user:${subject.id}`, concurrent: 1e6 },
]
const policy = quota({ store: redisStore({ client }), limits: limitsOf, storeTimeoutMs: 30_000 })

serve((target) => aiProxy({ target, limits, identify, policies: [policy], onFinish: () => {} }))
