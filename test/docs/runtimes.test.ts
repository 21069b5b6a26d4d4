import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Events, post } from '../e2e/support/client.js'
import { type Call, type Owner, type Provider, startProvider } from '../e2e/support/provider.js'
import { within } from '../e2e/support/waiting.js'
import { pages, root } from './pages.js'
import { environmentOf, write } from './running.js'
import { makeWorkshop } from './workshop.js'

const request = { model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] }
const chunk = 'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n'

const runtimes = {
  bun: [],
  deno: ['run', '--allow-net', '--allow-env', '--allow-read', '--allow-sys'],
}

for (const [runtime, args] of Object.entries(runtimes)) {
  const command = path.join(root, 'node_modules/.bin', runtime)
  const skip = !existsSync(command) && `${runtime} is not installed: npm install --no-save ${runtime}`

  describe(`docs/recipes/${runtime}.md runs on ${runtime}`, { skip }, () => {
    const cleaning: (() => unknown)[] = []
    const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
    let answer: (call: Call) => unknown
    let provider: Provider
    let url: string
    before(async () => {
      const { folder, remove } = makeWorkshop()
      cleaning.push(remove)
      provider = await startProvider(owner, { onCall: (call) => answer(call) })
      url = `${await start(owner, folder)}/ai/v1/chat/completions`
    })
    after(async () => {
      for (const clean of cleaning) await clean()
    })

    test('a stream arrives whole', async () => {
      answer = (call) => call.sse([chunk.slice(0, 30), chunk.slice(30)]).end('data: [DONE]\n\n')
      const response = await post(url, request)
      assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
      assert.equal(await response.text(), `${chunk}data: [DONE]\n\n`)
      assert.equal(provider.calls.at(-1)!.headers.authorization, 'Bearer the-openai-api-key')
    })

    test('if the provider breaks off, the client gets an error event', async () => {
      answer = (call) => call.sse(['data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n']).reset()
      assert.match(await (await post(url, request)).text(), /"code":"upstream_(?:reset|truncated)"/)
    })

    test('if the client leaves, the provider stops', async () => {
      answer = (call) => call.sse([chunk.replace('"stop"', 'null')])
      const controller = new AbortController()
      const response = await post(url, request, { signal: controller.signal })
      await new Events(response).next()
      controller.abort()
      await provider.calls.at(-1)!.gone
    })

    test("the provider's error passes unchanged", async () => {
      answer = (call) => void call.text.then(() => call.json(429, { error: { message: 'Too often' } }))
      const response = await post(url, request)
      assert.equal(response.status, 429)
      assert.match(await response.text(), /Too often/)
    })

    /** Runs the recipe. @returns where it listens */
    async function start(t: Owner, folder: string): Promise<string> {
      const block = pages
        .find(({ file }) => file === `docs/recipes/${runtime}.md`)!
        .blocks.find(({ language }) => language === 'ts')!
      const told = "app.listen(0, '127.0.0.1', () => console.log('port', server.address().port, ';'))"
      const code = block.code.replace('app.listen(3000)', `const server: any = ${told}`)
      const file = write({ ...block, code }, folder, provider.url)
      const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...inherited } = process.env
      const child = spawn(command, [...args, file], {
        cwd: folder,
        env: { ...inherited, ...environmentOf(block), DENO_NO_UPDATE_CHECK: '1' },
      })
      const exit = once(child, 'exit')
      t.after(async () => {
        child.kill('SIGKILL')
        await exit
      })
      let printed = ''
      const port = new Promise<string>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (text: string) => {
            printed += text
            const [, found] = /port (\d+) ;/.exec(printed) ?? []
            if (found) resolve(found)
          })
        }
        exit.then(() => reject(new Error(printed)), reject)
      })
      return `http://127.0.0.1:${await within(port, `${runtime} to listen`, 60_000)}`
    }
  })
}
