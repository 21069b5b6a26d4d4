import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Request } from 'express'
import type { AiProxyError } from '../../lib/api/errors.js'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { type CheckedCredential, checkedCredential } from '../../lib/options/credentials.js'
import { resolveCredentials } from '../../lib/request/credentials.js'

const view = { req: { headers: { 'x-user': 'ada' } } as unknown as Request } as HookedExchange
const exchange = { hookView: () => view }

describe('resolveCredentials', () => {
  test('takes strings as they are, and awaits functions in order', async () => {
    const credentials: [string, CheckedCredential][] = [
      ['a', 'plain'],
      ['b', checkedCredential('auth.headers.b', () => 'called')],
      ['c', async () => 'awaited'],
      ['d', checkedCredential('auth.headers.d', ({ headers }) => `for ${headers['x-user']}`)],
    ]
    assert.deepEqual(await resolveCredentials('auth.headers', credentials, exchange), [
      ['a', 'plain'],
      ['b', 'called'],
      ['c', 'awaited'],
      ['d', 'for ada'],
    ])
    assert.deepEqual(await resolveCredentials('auth.query', [], exchange), [])
  })

  const wrong: [name: string, credential: () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('vault: token hunter2 expired')
      },
    ],
    ['rejects', () => Promise.reject(new Error('hunter2'))],
    ['returns nothing', () => undefined],
    ['returns an empty string', () => ''],
    ['returns a header of an unset variable', () => 'Bearer undefined'],
    ['returns an unset variable', () => 'undefined'],
    ['returns a number', () => 5],
    ['returns a value that a header cannot have', () => 'hunter2\r\nx: y'],
  ]
  for (const [name, credential] of wrong) {
    test(`a function that ${name}: the error names the option, and quotes no secret`, async () => {
      const resolve = async () =>
        resolveCredentials(
          'auth.headers',
          [['x-api-key', checkedCredential('auth.headers.x-api-key', credential as () => string)]],
          exchange,
        )
      await assert.rejects(resolve, (error: AiProxyError) => {
        assert.equal(error.code, 'credentials_unavailable')
        assert.equal(error.status, 500)
        assert.match(error.message, /auth\.headers\.x-api-key/)
        assert.doesNotMatch(error.message, /hunter2/)
        assert.equal(error.cause, undefined)
        assert.ok(error.revealCause() instanceof Error)
        return true
      })
    })
  }

  test('a value that a header cannot have is none at one of several targets, either', async () => {
    const credential = checkedCredential('targets[1].auth.headers.x-api-key', () => 'hunter2\n')
    const message = 'targets[1].auth.headers.x-api-key returned a value that no header can carry'
    await assert.rejects(credential(view), { message })
  })

  for (const [value, fault] of [
    ['', 'an empty string'],
    [' ', 'an empty string'],
    ['Bearer ', 'a scheme without a credential'],
    ['token ', 'a scheme without a credential'],
    ['undefined', 'a string that ends in "undefined"'],
    [null, 'null'],
  ] as const) {
    test(`a query parameter must not be ${JSON.stringify(value)} either: the message says what it must be`, async () => {
      const credential = checkedCredential('auth.query.key', () => value as string)
      const message = `auth.query.key must return a string that is not empty, not ${fault}`
      await assert.rejects(credential(view), { message })
    })
  }

  test('a query parameter may contain characters that a header must not', async () => {
    assert.deepEqual(
      await resolveCredentials('auth.query', [['key', checkedCredential('auth.query.key', () => 'ä\n')]], exchange),
      [['key', 'ä\n']],
    )
  })
})
