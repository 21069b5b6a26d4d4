/** A Redis of this machine, which runs on the core that the proxy does not use. Returns a client of it. */
const { spawn } = require('node:child_process')
const { mkdtempSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const Redis = require('ioredis').default

module.exports = function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'))
  const socket = join(folder, 'redis.sock')
  const command = ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no']
  const core = process.env.BENCH_OTHER_CORE
  const [program, ...args] = core ? ['taskset', '-c', core, ...command] : command
  // A contender is ended by SIGKILL, which it does not notice: its end of the pipe is closed all the same.
  const watched = `"$@" & server=$!; cat; kill -9 $server; rm -rf '${folder}'`
  spawn('sh', ['-c', watched, 'sh', program, ...args], { stdio: ['pipe', 'ignore', 'ignore'] })
  const client = new Redis(socket, { retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {}) // It is not there yet.
  return client
}
