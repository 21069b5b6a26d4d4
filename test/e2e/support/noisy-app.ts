// Run in its own process with DEBUG=ai-proxy:*, so that a test can search the output of `debug` for secrets. Prints the
// bodies of its answers and its records as JSON, one per line.
import { startApp } from './app.js'
import { post } from './client.js'
import { openai } from './protocols.js'
import { type Owner, startProvider } from './provider.js'

async function main(secret: string, fromClient: string): Promise<void> {
  const cleanUps: (() => unknown)[] = []
  const owner: Owner = { after: (run) => void cleanUps.push(run as () => unknown) }
  const provider = await startProvider(owner, {
    onCall: (call) => {
      if (call.url.includes('fine')) call.sse(['data: 1\n\n']).end()
      else if (call.url.includes('raw')) call.raw('no HTTP\r\n\r\n')
      else if (call.url.includes('silent')) call.sse(['data: 1\n\n'])
      else call.reset()
    },
  })
  const auth = { headers: { authorization: () => `Bearer ${secret}` }, query: { key: secret } }
  const options = { target: provider.url, auth, headers: { 'x-also': secret }, limits: { idleTimeoutMs: 20 } }
  const broken = () => {
    throw new Error(`the vault says ${secret}`)
  }
  const apps = [
    await startApp(owner, options),
    await startApp(owner, { ...options, target: 'http://127.0.0.1:9' }),
    await startApp(owner, { ...options, auth: { headers: { authorization: broken } } }),
    await startApp(owner, { ...options, auth: { headers: { authorization: () => `Bearer\n${secret}` } } }),
  ]
  for (const app of apps) {
    for (const way of ['fine', 'raw', 'silent', 'reset']) {
      const headers = { authorization: `Bearer ${fromClient}`, cookie: `session=${fromClient}` }
      const response = await post(`${app.url}${openai.path}?way=${way}&key=${fromClient}`, openai.request, { headers })
      console.log(JSON.stringify(await response.text()))
      console.log(JSON.stringify([...response.headers]))
      console.log(JSON.stringify(await app.record()))
    }
    await (await post(`${app.url}/v1/files?key=${fromClient}`, {})).text()
    console.log(JSON.stringify(await app.record()))
  }
  for (const run of cleanUps) await run()
}

void main(process.argv[2]!, process.argv[3]!)
