import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Request } from 'express'
import { aiProxy } from '../../lib/index.js'
import { startApp } from '../e2e/support/app.js'
import { post } from '../e2e/support/client.js'
import { openai } from '../e2e/support/protocols.js'
import { startProvider } from '../e2e/support/provider.js'

/** What a sign-in in front of the middleware leaves on the request. */
interface SignedIn extends Request {
  user: { name: string }
}

test("aiProxy<Req>() gives the hooks the app's own request type", async (t) => {
  const provider = await startProvider(t, { onCall: (call) => void call.sse(openai.events).end() })
  const seen: string[] = []
  const proxy = aiProxy<SignedIn>({
    target: provider.url,
    onRequest: (_request, { req }) => void seen.push(req.user.name),
    onEvent: (_event, { req }) => void seen.push(req.user.name),
    observers: [{ onRequest: ({ req }) => void seen.push(req.user.name) }],
  })
  const signIn = (req: Request) => Object.assign(req, { user: { name: 'ada' } })
  const around = {
    mount: (app: import('express').Express) => {
      app.use('/ai', (req, _res, next) => next(void signIn(req)), proxy)
    },
  }
  const app = await startApp(t, { target: provider.url }, around)
  await (await post(app.url + openai.path, openai.request)).text()
  assert.ok(seen.length >= 3)
  assert.deepEqual(new Set(seen), new Set(['ada']))
})

test('without a type argument, `req` is Express’s Request', () => {
  aiProxy({
    target: 'https://provider.example',
    // @ts-expect-error Express knows no `user`.
    onRequest: (_request, { req }) => void req.user,
  })
  aiProxy({ target: 'https://provider.example', onRequest: (_request, { req }) => void req.originalUrl })
})

test('a hook that returns its request does not compile', () => {
  // @ts-expect-error A request is not an answer.
  aiProxy({ target: 'https://provider.example', onRequest: (request) => request })
  // @ts-expect-error Nor is a response.
  aiProxy({ target: 'https://provider.example', onResponse: (response) => response })
})
