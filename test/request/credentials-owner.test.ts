import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CredentialsOwner, credentialsOwner } from '../../lib/request/credentials-owner.js'

const client = { host: 'ours', authorization: 'Bearer theirs', 'x-mine': 'a', 'content-length': '2' }
const own = { authorization: client.authorization, 'x-mine': 'a' }
const framing = { host: 'theirs', 'content-length': '9', 'accept-encoding': 'identity' }

const requests: [what: string, headers: Record<string, string>, url: string, expected: CredentialsOwner][] = [
  ['the key of the client', { ...own, ...framing }, '/v1', 'client'],
  ['the key of the client in its query', { 'x-mine': 'a' }, '/v1?a=1&key=k', 'client'],
  ['no key', { 'x-mine': 'a', ...framing }, '/v1?a=1', 'nobody'],
  ['another key in its place', { ...own, authorization: 'Bearer ours' }, '/v1', 'app'],
  ['a key besides it', { ...own, 'x-api-key': 'ours' }, '/v1', 'app'],
  ['a harmless header of the app', { ...own, 'x-tenant': 'ours' }, '/v1', 'client'],
  ['a header of the app that may be a key', { 'x-mine': 'b' }, '/v1', 'app'],
]

describe('the credentials are', () => {
  for (const [what, headers, url, expected] of requests) {
    const options = { holdsCredentials: false, forwardCredentials: false }
    test(`of ${expected} in a request with ${what}`, () =>
      assert.equal(credentialsOwner({ headers, url }, client, options), expected))
  }

  test('of the app whenever it has any for some target', () => {
    const options = { holdsCredentials: true, forwardCredentials: false }
    assert.equal(credentialsOwner({ headers: {}, url: '/v1' }, client, options), 'app')
  })

  test('of the client if the app sends its key on with another header of its own', () => {
    const options = { holdsCredentials: false, forwardCredentials: true }
    assert.equal(credentialsOwner({ headers: { ...own, 'x-gateway': 'g' }, url: '/v1' }, client, options), 'client')
  })
})
