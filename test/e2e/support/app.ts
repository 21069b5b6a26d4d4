import http from 'node:http'
import https from 'node:https'
import express, { type Express } from 'express'
import { type AiProxy, type AiProxyOptions, aiProxy, type ExchangeRecord } from '../../../lib/index.js'
import { cert, key } from './certificate.js'
import { listen, type Owner } from './provider.js'
import { Queue, within } from './waiting.js'

export interface App {
  /** The URL at which the middleware is mounted: `http://127.0.0.1:…/ai`. */
  readonly url: string
  readonly port: number
  readonly server: http.Server | https.Server
  readonly proxy: AiProxy
  /** The records so far. */
  readonly records: readonly ExchangeRecord[]
  /** The next record. */
  record(): Promise<ExchangeRecord>
}

interface AppOptions {
  /** Mounts handlers before the middleware. */
  before?: (app: Express) => void
  /** Mounts handlers after it. */
  after?: (app: Express) => void
  /** Mounts the middleware somewhere other than `/ai`. */
  mount?: (app: Express, proxy: AiProxy) => void
  tls?: boolean
}

/** Starts an app with the middleware at `/ai`, which keeps every record. */
export async function startApp(t: Owner, options: AiProxyOptions, around: AppOptions = {}): Promise<App> {
  const records = new Queue<ExchangeRecord>('a record')
  const proxy = aiProxy({
    ...options,
    onFinish: (record, exchange) => {
      records.push(record)
      return options.onFinish?.(record, exchange)
    },
  })
  const app = express()
  // Without this handler, Express's own one prints to the console.
  app.set('env', 'test')
  around.before?.(app)
  if (around.mount) around.mount(app, proxy)
  else app.use('/ai', proxy)
  around.after?.(app)
  const server = around.tls ? https.createServer({ cert, key }, app) : http.createServer(app)
  const port = await listen(t, server)
  t.after(() => within(proxy.close({ graceMs: 0 }), 'close(), after the test', 3000))
  return {
    url: `${around.tls ? 'https' : 'http'}://127.0.0.1:${port}/ai`,
    port,
    server,
    proxy,
    records: records.all,
    record: () => records.next(),
  }
}
