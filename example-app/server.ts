/** Starts the example: chooses a provider, listens, and on a signal closes down without cutting running answers. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { makeApp } from './app.js'
import { chooseProvider, type Provider } from './provider.js'

async function main() {
  const provider = await chooseProvider(process.env)
  const { app, ai } = makeApp(provider)

  const server = app.listen(Number(process.env.PORT || 3000), process.env.HOST || '127.0.0.1')
  await once(server, 'listening')
  announce(urlOf(server.address() as AddressInfo), provider)

  let closing = false
  async function shutDown() {
    if (closing) return
    closing = true
    console.log('\nClosing: answers under way have 5 seconds to end.')
    await ai.close({ graceMs: 5000 })
    server.close()
    // Browsers open connections in advance, without a request: nothing else would end those.
    setTimeout(() => server.closeAllConnections(), 500).unref()
    await once(server, 'close')
    await provider.close()
    process.exit()
  }
  process.on('SIGINT', shutDown)
  process.on('SIGTERM', shutDown)
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function announce(url: string, { name, local, model }: Provider) {
  const body = { model, stream: true, messages: [{ role: 'user', content: 'Hello!' }] }
  const quoted = `'${JSON.stringify(body).replaceAll("'", "'\\''")}'`
  console.log(`
  Page      ${url}
  Provider  ${name}
  Model     ${model}
  Shell     curl -N ${url}/ai/v1/chat/completions -H 'content-type: application/json' -d ${quoted}
`)
  if (local) {
    console.log(`  No key is set, so a stand-in inside this app answers. For a real model:
    OPENAI_API_KEY=sk-… npm start
    AI_TARGET=http://localhost:8000 AI_MODEL=… npm start    (vLLM, Ollama or whatever speaks OpenAI's API)
`)
  }
}

function mend(error: NodeJS.ErrnoException & { port?: number }): string {
  if (error.code === 'EADDRINUSE') {
    return `Port ${error.port} is taken. Choose another: PORT=3001 npm start (PORT=0 takes any free one).`
  }
  if (error.code === 'ERR_SOCKET_BAD_PORT') return `PORT must be a number from 0 to 65535, not "${process.env.PORT}".`
  return error.message
}

main().catch((error) => {
  console.error(mend(error))
  process.exit(1)
})
