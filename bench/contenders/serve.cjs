/**
 * What the contenders in Node share: an Express app with `GET /health` and the proxy at `/ai`, in a process that
 * answers the benchmark's questions. It is plain JavaScript so that no loader runs in the proxy's process.
 */
const { once } = require('node:events')
const express = require('express')

/** Bytes in use after garbage collection: `rss` as the system counts it, `held` as V8 and Node do. */
async function memory() {
  for (let pass = 0; pass < 3; pass += 1) {
    global.gc()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, held: heapUsed + external }
}

/** Microseconds of CPU time since the process started, in user mode and in the kernel. */
function cpuMicros() {
  const { user, system } = process.cpuUsage()
  return user + system
}

const questions = { cpuMicros, memory, outputTokens: () => null }

/**
 * Serves `proxyTo(target)`, where the target is the provider's base URL.
 * @param {(target: string) => import('express').RequestHandler} proxyTo
 * @param {Record<string, () => unknown>} furtherQuestions more questions that this contender answers
 */
module.exports = function serve(proxyTo, furtherQuestions = {}) {
  Object.assign(questions, furtherQuestions)
  const app = express()
  app.get('/health', (_req, res) => {
    res.send('ok')
  })
  app.use('/ai', proxyTo(process.env.BENCH_TARGET))
  const server = app.listen(0, '127.0.0.1', 1024)
  const listening = once(server, 'listening')

  questions.port = async () => {
    await listening
    return server.address().port
  }
  process.on('message', async ({ id, name }) => process.send({ id, value: await questions[name]() }))
  process.on('disconnect', () => process.exit())
}
