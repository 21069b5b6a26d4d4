/** Starts the example: chooses the providers, listens, and on a signal closes down without cutting running answers. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeApp } from './app.js'
import { isLoopback } from './http/loopback.js'
import { chooseProviders } from './providers/choose-providers.js'
import { parsePrices, standInPrices } from './providers/prices.js'
import type { Provider } from './providers/provider.js'
import { chooseStorage } from './storage/choose-storage.js'

async function main() {
  const given = parsePrices(process.env.MODEL_PRICES)
  const storage = await chooseStorage(process.env)
  const providers = await chooseProviders(process.env)
  const prices = providers.some(({ local }) => local) ? { ...standInPrices, ...given } : given
  const server = createServer()
  server.listen(Number(process.env.PORT || 3000), process.env.HOST || '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo

  const loopback = isLoopback(address.address)
  // The Streams page shows and ends everybody's streams, and the demo users have no passwords: nobody else may reach it.
  const { store, journal } = storage
  const { app, close } = makeApp(providers, { dashboard: loopback, loopback, prices, store, journal })
  server.on('request', app)
  announce(urlOf(address), providers, { dashboard: loopback, storage: storage.name })

  let closing = false
  async function shutDown() {
    if (closing) return
    closing = true
    console.log('\nClosing: running answers have 5 seconds to end.')
    await close({ graceMs: 5000 })
    server.close()
    // Browsers open connections in advance, without a request. Nothing else ends those.
    setTimeout(() => server.closeAllConnections(), 500).unref()
    await once(server, 'close')
    await Promise.all(providers.map((provider) => provider.close()))
    await storage.close()
    process.exit()
  }
  process.on('SIGINT', shutDown)
  process.on('SIGTERM', shutDown)
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function announce(url: string, providers: Provider[], { dashboard, storage }: { dashboard: boolean; storage: string }) {
  const model = providers.find(({ id }) => id === 'openai')?.model
  const body = { model, stream: true, messages: [{ role: 'user', content: 'Hello!' }] }
  const quoted = `'${JSON.stringify(body).replaceAll("'", "'\\''")}'`
  const answering = providers.map(({ title, name, local, route, model }) => {
    return `  ${title.padEnd(9)} ${local ? `a ${name}` : `${name}, ${model}`}, at ${route}`
  })
  console.log(`
Open in your browser:
  Chat      ${url}/chat/
  Streams   ${dashboard ? `${url}/streams/` : 'only if the app listens on 127.0.0.1 alone (see example-app/server.ts)'}
  Usage     ${dashboard ? `${url}/usage/` : 'likewise'}
  Storm     ${dashboard ? `${url}/storm/` : 'likewise'}

Behind it:
${answering.join('\n')}
  Storage   quotas and kept answers are ${storage}

Or ask in a shell:
  curl -N ${url}/ai/v1/chat/completions -H 'content-type: application/json' -d ${quoted}
`)
  if (providers.some(({ local }) => local)) {
    console.log(`  Providers without a key are played by a stand-in inside this app. For real models:
    OPENAI_API_KEY=sk-… ANTHROPIC_API_KEY=… GEMINI_API_KEY=… npm start
    AI_TARGET=http://localhost:8000 AI_MODEL=… npm start    (vLLM, Ollama or whatever speaks OpenAI's API)
`)
  }
}

function explain(error: NodeJS.ErrnoException & { port?: number }): string {
  if (error.code === 'EADDRINUSE') {
    return `Port ${error.port} is taken. Choose another: PORT=3001 npm start (PORT=0 takes any free one).`
  }
  if (error.code === 'ERR_SOCKET_BAD_PORT') return `PORT must be a number from 0 to 65535, not "${process.env.PORT}".`
  return error.message
}

main().catch((error) => {
  console.error(explain(error))
  process.exit(1)
})
