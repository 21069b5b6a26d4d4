import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { makeApp } from '../../example-app/app.js'
import type { Provider } from '../../example-app/providers/provider.js'
import { freePort } from '../support/free-port.js'

const closing = new WeakMap<TestContext, (() => Promise<void>)[]>()

/** Does something while the app still runs: a page that outlives it would complain that it cannot reach it. */
export function beforeAppCloses(t: TestContext, act: () => Promise<void>): void {
  closing.set(t, [...(closing.get(t) ?? []), act])
}

/** The example's app with these providers, on a free port until the test ends. @returns its URL */
export async function runningApp(t: TestContext, given: Provider | Provider[], options = {}): Promise<string> {
  const providers = [given].flat()
  const { app, close } = makeApp(providers, options)
  const server = app.listen(0, '127.0.0.1')
  t.after(async () => {
    for (const act of closing.get(t) ?? []) await act()
    await close({ graceMs: 0 })
    await closed(server)
    await Promise.all(providers.map((provider) => provider.close()))
  })
  return urlOf(server)
}

export async function urlOf(server: Server): Promise<string> {
  if (!server.listening) await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A URL where nobody listens. */
export async function unreachable(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}

export async function closed(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

/** The cookie that a page gets from the app. */
export async function newVisitor(url: string): Promise<string> {
  const response = await fetch(`${url}/settings`)
  await response.text()
  return String(response.headers.getSetCookie()[0]).split(';')[0]!
}

/** What the page sends for a prompt. */
export function prompt(content: string, id: string, visitor = ''): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id, cookie: visitor },
    body: JSON.stringify({ model: 'any', stream: true, messages: [{ role: 'user', content }] }),
  }
}
