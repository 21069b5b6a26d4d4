import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import type { ExchangeRecord } from '../lib/api/record.js'
import { aiProxy } from '../lib/index.js'
import { soon } from './support/event-loop.js'
import { withRequest } from './support/loopback.js'

/** A port that nobody listens on. */
const target = 'http://127.0.0.1:9'

describe('a client that leaves before the request reaches the middleware', () => {
  for (const [name, options, send] of [
    ['while its body came in', { headers: { 'content-type': 'application/json' } }, '{"half":'],
    ['without a body', { method: 'GET', path: '/v1/models' }, undefined],
  ] as const) {
    test(`${name}: the exchange ends at once`, async () => {
      const path = '/v1/chat/completions'
      await withRequest(
        { path, ...options },
        (client) => (send === undefined ? client.end() : client.write(send)),
        async ({ client, req, res }) => {
          // Another middleware of the app takes its time: it asks a database.
          const gone = new Promise((resolve) => res.once('close', resolve))
          req.on('error', () => {})
          client.destroy()
          await gone
          const finished = new Promise<ExchangeRecord>((resolve) => {
            const proxy = aiProxy({ target, onFinish: (record) => resolve(record) })
            void proxy(Object.assign(req, { path: req.url }) as Request, res as Response, () => {})
          })
          const { outcome, status } = await soon(finished, 'the exchange')
          assert.deepEqual([outcome, status], ['client_disconnect', undefined])
        },
      )
    })
  }
})

describe('close()', () => {
  for (const graceMs of [-1, Number.NaN, '5', null]) {
    test(`rejects graceMs: ${graceMs}`, async () => {
      await assert.rejects(
        aiProxy({ target }).close({ graceMs: graceMs as never }),
        /close\.graceMs takes a number of at least 0/,
      )
    })
  }

  test('rejects an unknown option', async () => {
    await assert.rejects(
      aiProxy({ target }).close({ grace: 5 } as never),
      /close\.grace.*Did you mean close\.graceMs\?/,
    )
  })

  test('resolves if no exchange is in progress', async () => {
    const proxy = aiProxy({ target })
    await proxy.close()
    assert.deepEqual([proxy.exchanges(), proxy.stats().active], [[], 0])
  })
})

test('aiProxy() throws on an invalid option', () => {
  assert.throws(() => aiProxy({} as never), { name: 'TypeError', message: /target takes/ })
})

test('leaving the block of `await using` closes the middleware', async () => {
  const proxy = aiProxy({ target })
  await proxy[Symbol.asyncDispose]()
  await withRequest(
    { path: '/v1/models', method: 'GET' },
    (client) => client.end(),
    async ({ client, req, res }) => {
      const answered = once(client, 'response')
      void proxy(Object.assign(req, { path: req.url }) as Request, res as Response, () => {})
      const [{ statusCode }] = await soon(answered, 'an answer')
      assert.equal(statusCode, 503)
    },
  )
})
