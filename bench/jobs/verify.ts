import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { requestBody, STREAM_BODY } from '../wire'

/** Reads one whole stream with a real HTTP client: every byte must be as the provider sent it. */
export async function verify({ port, path }: { port: number; path: string }): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const call = request({ host: '127.0.0.1', port, path, method: 'POST', headers })
  call.end(requestBody('burst'))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const body = await buffer(response)
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${body.toString().slice(0, 200)}`)
  // What can be continued has ids, which are ours.
  const sent = response.headers['x-stream-id'] ? Buffer.from(body.toString().replace(/^id: .*\n/gm, '')) : body
  if (!sent.equals(STREAM_BODY)) throw new Error(`the body (${body.length} bytes) is not what the provider sent`)
}
