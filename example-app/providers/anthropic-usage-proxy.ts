import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline, Transform } from 'node:stream'

/**
 * Starts a proxy in front of aimock that corrects `usage` in Anthropic streams. aimock reports all output tokens in the
 * first event. Anthropic reports one there and the total at the end, so a stream that is stopped reports no more than it
 * has sent.
 */
export async function startAnthropicUsageProxy(target: string): Promise<{ url: string; close(): void }> {
  const server = createServer((req, res) => {
    const { method, headers, url = '/' } = req
    const upstream = request(new URL(url, target), { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream')
      // If the answer breaks off, pipeline closes the other side as well.
      if (isStream) pipeline(answer, new FirstEventUsage(), res, () => {})
      else pipeline(answer, res, () => {})
    })
    upstream.on('error', () => res.destroy())
    res.on('close', () => upstream.destroy())
    req.pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Sets `output_tokens` of the first event to 1. That event is in the first chunk: aimock writes each event by itself. */
class FirstEventUsage extends Transform {
  #isStarted = false

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    const isFirst = !this.#isStarted
    this.#isStarted = true
    done(null, isFirst ? Buffer.from(chunk.toString().replace(/"output_tokens":\d+/, '"output_tokens":1')) : chunk)
  }
}
