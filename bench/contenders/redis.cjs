/** A Redis of this machine, which runs on the core that the proxy does not use. Returns a client of it. */
const { spawn } = require('node:child_process')
const { mkdtempSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const Redis = require('ioredis').default

module.exports = function startRedis() {
  const socket = join(mkdtempSync(join(tmpdir(), 'bench-redis-')), 'redis.sock')
  const command = ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no']
  const core = process.env.BENCH_OTHER_CORE
  const [program, ...args] = core ? ['taskset', '-c', core, ...command] : command
  const server = spawn(program, args, { stdio: 'ignore' })
  process.on('exit', () => server.kill('SIGKILL'))
  const client = new Redis(socket, { retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {}) // It is not there yet.
  return client
}
