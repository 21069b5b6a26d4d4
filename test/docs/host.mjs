// Runs several snippets in one process, one after the other: node host.mjs FILE… tells for each where it listens, or why it does not.
import net from 'node:net'
import { pathToFileURL } from 'node:url'

let onListening = () => {}
const { listen } = net.Server.prototype
net.Server.prototype.listen = function (...args) {
  const given = typeof args[0] === 'object' && args[0] !== null ? args[0] : {}
  const done = args.find((arg) => typeof arg === 'function')
  this.once('listening', () => onListening(this.address().port))
  return listen.call(this, { ...given, port: 0, host: '127.0.0.1' }, done)
}
process.on('disconnect', () => process.exit())

for (const file of process.argv.slice(2)) {
  const port = new Promise((resolve) => {
    onListening = resolve
  })
  try {
    await import(pathToFileURL(file).href)
    process.send({ file, port: await port })
  } catch (error) {
    process.send({ file, error: error.stack })
  }
}
