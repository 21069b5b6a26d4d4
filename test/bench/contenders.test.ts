import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { Child, start, stop } from '../../bench/children'
import { nodeContenders } from '../../bench/contenders'
import { PATHS } from '../../bench/wire'

const EVENTS = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

suite("the benchmark's contenders", () => {
  for (const [name, file] of Object.entries(nodeContenders)) {
    test(`${name} starts, and forwards a stream`, async (t) => {
      const provider = http.createServer((req, res) => {
        req.resume()
        res.writeHead(200, { 'content-type': 'text/event-stream' }).end(EVENTS)
      })
      await once(provider.listen(0, '127.0.0.1'), 'listening')
      t.after(() => provider.close())
      const target = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
      const child = start(undefined, [process.execPath, '--expose-gc', file], true, {
        ...process.env,
        BENCH_TARGET: target,
      })
      t.after(() => stop(child))
      const port = await new Child<{ port(input: null): number }>(child).ask('port', null)
      const response = await fetch(`http://127.0.0.1:${port}${PATHS.proxy}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', stream: true, messages: [] }),
      })
      assert.equal(response.status, 200)
      assert.match(await response.text(), /"content":"Hi"/)
    })
  }
})
