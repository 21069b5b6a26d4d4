import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { memoryJournal } from '../../lib/journal.js'
import { startApp } from './support/app.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

const never = () => new Promise<never>(() => {})
const chat = { method: 'POST', path: openai.path, body: openai.request }
const target = (url: string) => ({ name: 'one', target: url, models: ['m'] })
const policies = [{ name: 'p', admit: never }]
const resume = { journal: memoryJournal(), who: never }

/** Each way to a function of the app: the option's name, a request, and the options with the function. */
const ways: readonly [string, { method: string; path: string; body?: object }, (url: string) => object][] = [
  ['auth', chat, (url) => ({ target: url, auth: { headers: { authorization: never } } })],
  [
    'auth` or `onAttempt',
    chat,
    (url) => ({ targets: [{ name: 'one', target: url, auth: { query: { key: never } } }] }),
  ],
  ['auth` or `onAttempt', chat, (url) => ({ targets: [{ name: 'one', target: url }], onAttempt: never })],
  ['identify', chat, (url) => ({ target: url, identify: never })],
  ['limits', chat, (url) => ({ target: url, limits: { perRequest: never } })],
  ['models', chat, (url) => ({ target: url, models: never })],
  ['models', { method: 'GET', path: '/v1/models' }, (url) => ({ targets: [target(url)], models: never })],
  ['onRequest', chat, (url) => ({ target: url, onRequest: never })],
  ['policies', chat, (url) => ({ target: url, policies })],
  ['policies', chat, (url) => ({ targets: [{ name: 'one', target: url }], policies })],
  ['resume.who', chat, (url) => ({ target: url, resume })],
  ['resume.who', { method: 'GET', path: `/-/streams/${'a'.repeat(22)}` }, (url) => ({ target: url, resume })],
  ['resume.who', { method: 'GET', path: '/v1/responses/resp_1' }, (url) => ({ target: url, resume })],
]

describe('a function of the app that never answers is named in the error', () => {
  for (const [name, { method, path, body }, options] of ways) {
    test(`${name}: ${method} ${path}`, async (t) => {
      const provider = await startProvider(t)
      const given = options(provider.url) as { limits?: object }
      const app = await startApp(t, { ...given, limits: { firstByteTimeoutMs: 30, ...given.limits } } as AiProxyOptions)
      const headers = { 'content-type': 'application/json' }
      const response = await within(
        fetch(app.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) }),
        'an answer',
      )
      const message = `The app's \`${name}\` did not answer in time (limits.firstByteTimeoutMs: 30)`
      assert.equal(response.status, 504)
      assert.equal(((await response.json()) as { error: { message: string } }).error.message, message)
      const { outcome, limit, error, attempts } = await app.record()
      assert.deepEqual([outcome, limit, error], ['limit_exceeded', 'firstByteTimeoutMs', message])
      // All but these two are called before an attempt.
      const made = name === 'auth` or `onAttempt' ? ['unprepared'] : []
      assert.deepEqual(
        attempts.map(({ code }) => code),
        made,
      )
      assert.equal(provider.calls.length, 0)
    })
  }
})
