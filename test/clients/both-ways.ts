import assert from 'node:assert/strict'
import type { Express } from 'express'
import type { AiProxyOptions } from '../../lib/index.js'
import { type App, startApp } from '../e2e/support/app.js'
import { type Call, type Owner, type Provider, startProvider } from '../e2e/support/provider.js'

/** Where a client finds the API: at the provider itself, or behind the proxy. */
export interface Way {
  readonly url: string
  /** The provider at the end of it, which nobody else asks. */
  readonly provider: Provider
  /** The app with the proxy, where there is one. */
  readonly app?: Express
}

/** Answers the calls that come on one way; `at` counts them from 0. */
export type Answering = (call: Call, at: number) => unknown

interface Around {
  readonly options?: Partial<AiProxyOptions>
  /** A page for browsers: the app serves it, or the provider, for those who talk to it directly. */
  readonly page?: string
}

const PAGE = '/page'

/** Where a way has its page. */
export function pageOf({ url }: Way): string {
  return new URL(PAGE, url).href
}

/** Runs the same client code without the proxy and through it: it comes to the same, and the provider is asked the same. */
export async function bothWays<T>(
  t: Owner,
  answering: Answering,
  use: (way: Way) => Promise<T>,
  { options, page }: Around = {},
): Promise<{ result: T; app: App }> {
  const start = async (): Promise<Provider> => {
    let at = 0
    const provider = await startProvider(t, {
      onCall: (call) =>
        call.url === PAGE ? call.res.writeHead(200, { 'content-type': 'text/html' }).end(page) : answering(call, at++),
    })
    const next = async (): Promise<Call> => {
      const call = await provider.next()
      return call.url === PAGE ? next() : call
    }
    return { ...provider, next }
  }
  const asDirectly = await start()
  const direct = await use({ url: asDirectly.url, provider: asDirectly })

  const provider = await start()
  let express: Express | undefined
  const app = await startApp(
    t,
    { target: provider.url, ...options },
    {
      before: (made) => {
        express = made.get(PAGE, (_req, res) => void res.type('html').send(page))
      },
    },
  )
  const result = await use({ url: app.url, provider, app: express })
  assert.deepEqual(result, direct, 'through the proxy the client gets something else')
  assert.deepEqual(asked(provider), asked(asDirectly), 'through the proxy the provider is asked something else')
  return { result, app }
}

/** What belongs to the connection and to its encodings, and what browsers and `fetch` say of themselves. */
const OF_THE_WAY =
  /^(?:host|connection|content-length|transfer-encoding|accept-encoding|accept-language|cache-control|pragma|origin|referer|sec-.*|expect)$/

function asked({ calls }: Provider): unknown[] {
  return calls
    .filter(({ url }) => url !== PAGE)
    .map(({ req, url, received }) => ({
      method: req.method,
      url,
      headers: Object.fromEntries(Object.entries(req.headers).filter(([name]) => !OF_THE_WAY.test(name))),
      body: received,
    }))
}
