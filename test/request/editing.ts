import type { Request, Response } from 'express'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { detectFormat } from '../../lib/formats/index.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import type { RequestBody } from '../../lib/request/body.js'
import { editRequest } from '../../lib/request/edit.js'
import { providerPath } from '../../lib/request/provider-path.js'
import { FakeResponse } from '../support/fake-response.js'

export const CHAT = '/v1/chat/completions'
export const JSON_TYPE = 'application/json'

export interface Given extends Partial<AiProxyOptions> {
  method?: string
  path?: string
}

/** A body of JSON, as it is read where it may be edited. */
export const plain = (text: string): RequestBody => ({
  content: Buffer.from(text),
  headers: { 'content-type': JSON_TYPE, 'content-length': String(Buffer.byteLength(text)) },
  json: JSON.parse(text),
})
export const none: RequestBody = { content: undefined, headers: {}, json: undefined }

/**
 * A request, as it is to go out with these options.
 *
 * @param left what a body parser has left of it
 */
export async function edited(given: string | RequestBody, options: Given = {}, left?: unknown) {
  const { method = 'POST', path = CHAT, ...rest } = options
  const req = { method, url: path, headers: {}, body: left } as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as Response)
  const config = resolveOptions({ target: 'https://provider.example', ...rest })
  const where = providerPath(path)
  exchange.route(where.path, config.format ?? detectFormat(config.prefix + where.decoded))
  const body = typeof given === 'string' ? plain(given) : given
  const result = await editRequest(exchange, where, body, config)
  const { content } = result.body
  const text = Buffer.isBuffer(content) ? content.toString() : undefined
  return { ...result, exchange, given: body, text }
}
