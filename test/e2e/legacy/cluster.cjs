/** The app in two workers of Node's cluster. What they tell is handed on; SIGTERM is, too. */
const cluster = require('node:cluster')
const { once } = require('node:events')

if (cluster.isPrimary) void main()
else require('./app.cjs')

async function main() {
  const workers = [cluster.fork(), cluster.fork()]
  for (const worker of workers) worker.on('message', (message) => process.send(message))
  process.on('message', (question) => {
    for (const worker of workers) worker.send(question)
  })
  process.on('SIGTERM', () => {
    for (const worker of workers) worker.process.kill('SIGTERM')
  })
  const ends = await Promise.all(
    workers.map(async ({ process: { pid }, process: worker }) => {
      // What a worker told last may come after its exit, but not after its channel's end.
      const [[code, signal]] = await Promise.all([once(worker, 'exit'), once(worker, 'disconnect')])
      return { pid, code, signal }
    }),
  )
  process.send({ exits: ends })
  process.exitCode = ends.every(({ code }) => code === 0) ? 0 : 1
  process.disconnect()
}
