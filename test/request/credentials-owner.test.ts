import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CredentialsOwner, credentialsOwner } from '../../lib/request/credentials-owner.js'

const client = { host: 'ours', authorization: 'Bearer theirs', 'x-mine': 'a', 'content-length': '2' }
const own = { authorization: client.authorization, 'x-mine': 'a' }
const framing = { host: 'theirs', 'content-length': '9', 'accept-encoding': 'identity' }

const requests: [what: string, headers: Record<string, string>, url: string, expected: CredentialsOwner][] = [
  ['the key of the client', { ...own, ...framing }, '/v1', 'client'],
  ['the key of the client in its query', { 'x-mine': 'a' }, '/v1?a=1&key=k', 'client'],
  ['no key', { 'x-mine': 'a', ...framing }, '/v1?a=1', 'app'],
  ['no key, at a path that is named like one', { 'x-mine': 'a' }, '/v1/token', 'app'],
  ['another key in its place', { ...own, authorization: 'Bearer ours' }, '/v1', 'app'],
  ['a key besides it', { ...own, 'x-api-key': 'ours' }, '/v1', 'app'],
  ['another header of the app', { ...own, 'x-gateway': 'ours' }, '/v1', 'client'],
]

describe('the credentials are', () => {
  for (const [what, headers, url, expected] of requests) {
    test(`of ${expected} in a request with ${what}`, () =>
      assert.equal(credentialsOwner({ headers, url }, client, { forwardCredentials: true }), expected))
  }

  test('of the app unless it says that clients have their own', () => {
    const request = { headers: { ...own }, url: '/v1' }
    assert.equal(credentialsOwner(request, client, { forwardCredentials: false }), 'app')
  })
})
