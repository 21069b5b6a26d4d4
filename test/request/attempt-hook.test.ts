import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import type { AttemptRequest, OnAttempt } from '../../lib/api/hooks.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { HookFault } from '../../lib/options/hook-errors.js'
import { runAttemptHook } from '../../lib/request/attempt-hook.js'
import type { UpstreamRequest } from '../../lib/request/upstream-request.js'
import { FakeResponse } from '../support/fake-response.js'

function exchangeOf(): Exchange {
  const req = { method: 'POST', url: '/v1/chat/completions', headers: {} } as unknown as Request
  return new Exchange(req, new FakeResponse() as unknown as Response)
}

const sent = {
  host: 'api.test',
  'content-length': '2',
  'content-type': 'application/json',
  authorization: 'Bearer key',
  'x-list': ['a', 'b'],
}

/** The headers of a request after this hook. */
function hooked(hook: (request: AttemptRequest) => unknown, change: object = {}, exchange = exchangeOf()) {
  const request = { method: 'POST', url: '/v1/x?key=k', headers: sent, body: Buffer.from('{}'), ...change }
  const onAttempt = (({ request: each }) => hook(each)) as OnAttempt
  return runAttemptHook(onAttempt, 'a', request as unknown as UpstreamRequest, exchange, 'https://api.test')
}

describe('the hook sees', () => {
  test('the target, the whole request and the exchange', async () => {
    const exchange = exchangeOf()
    const seen: unknown[] = []
    const request = { method: 'POST', url: '/v1/x', headers: sent, body: Buffer.from('{}') }
    const hook: OnAttempt = (...args) => void seen.push(...args)
    await runAttemptHook(hook, 'a', request as unknown as UpstreamRequest, exchange, 'https://api.test')
    assert.deepEqual(seen, [
      {
        target: 'a',
        request: { method: 'POST', url: 'https://api.test/v1/x', headers: sent, body: Buffer.from('{}') },
      },
      exchange.hookView(),
    ])
  })

  test('the host that the request goes to, not the one that the client has asked', async () => {
    for (const headers of [{ host: 'app.test:3000', accept: '*/*' }, { accept: '*/*' }]) {
      let seen: unknown
      const hook = (request: AttemptRequest) => {
        seen = request.headers.host
      }
      const after = await hooked(hook, { headers })
      assert.equal(seen, 'api.test')
      assert.deepEqual(after, headers)
    }
  })

  test('a body in pieces as one', async () => {
    let body: Buffer | undefined
    await hooked(
      (request) => {
        body = request.body
      },
      { body: [Buffer.from('{'), Buffer.from('}')] },
    )
    assert.equal(String(body), '{}')
  })

  test('no body of an upload that streams through, or of a request without one', async () => {
    for (const body of [undefined, Readable.from(['x'])]) {
      let seen: unknown = 'not called'
      await hooked(
        (request) => {
          seen = request.body
        },
        { body },
      )
      assert.equal(seen, undefined)
    }
  })
})

describe('the hook may', () => {
  test('leave all headers as they are', async () => {
    assert.deepEqual(await hooked(() => {}), sent)
  })

  test('change, add and delete headers, in any case, also later', async () => {
    const headers = await hooked(async (request) => {
      await Promise.resolve()
      request.headers['X-Amz-Date'] = 'now'
      request.headers.authorization = 'AWS4-HMAC-SHA256 …'.replace('…', 'sig')
      delete request.headers['x-list']
    })
    const { 'x-list': _, ...rest } = sent
    assert.deepEqual(headers, { ...rest, authorization: 'AWS4-HMAC-SHA256 sig', 'x-amz-date': 'now' })
  })

  test('send a header several times', async () => {
    const headers = await hooked((request) => {
      request.headers['x-more'] = ['a', 'b']
    })
    assert.deepEqual(headers['x-more'], ['a', 'b'])
  })
})

describe('the hook cannot', () => {
  for (const name of ['host', 'Content-Length', 'transfer-encoding', 'connection', 'Expect']) {
    test(`set ${name}`, async () => {
      assert.deepEqual(
        await hooked((request) => {
          request.headers[name] = '9'
        }),
        sent,
      )
    })
  }

  for (const name of ['host', 'content-length']) {
    test(`delete ${name}`, async () => {
      assert.deepEqual(await hooked((request) => void delete request.headers[name]), sent)
    })
  }

  for (const [what, name, value] of [
    ['a line break', 'x-a', 'a\r\nx-b: c'],
    ['a line break in a list', 'x-a', ['a', 'b\n']],
    ['a name with a space', 'x a', 'b'],
    ['a number', 'x-a', 5],
    ['nothing', 'x-a', undefined],
    ['nothing in place of a value', 'x-list', undefined],
    ['a list in a list', 'x-a', [['b']]],
  ] as const) {
    test(`send ${what}`, async () => {
      const result = hooked((request) => {
        request.headers[name] = value as never
      })
      await assert.rejects(result, (error) => {
        assert.ok(error instanceof HookFault)
        assert.match(error.message, /^onAttempt set a header that cannot go to the provider: /)
        return true
      })
    })
  }

  test('change the request itself, which another attempt may need', async () => {
    const before = structuredClone(sent)
    await hooked((request) => {
      request.headers.authorization = 'other'
      ;(request.headers['x-list'] as string[]).push('c')
    })
    assert.deepEqual(sent, before)
  })

  test('smuggle a value into a list that is there', async () => {
    const result = hooked((request) => void (request.headers['x-list'] as string[]).push('c\r\nx-d: e'))
    await assert.rejects(result, HookFault)
  })
})

test('what the hook throws is thrown', async () => {
  const throwing = () => {
    throw new Error('no credentials')
  }
  await assert.rejects(hooked(throwing), /^Error: no credentials$/)
})
