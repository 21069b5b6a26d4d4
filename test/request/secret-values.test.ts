import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { collectSecrets } from '../../lib/request/secret-values.js'

/** What is hidden of a text, with a request that was made so. */
function hidden(text: string, options: Partial<AiProxyOptions>, request: object, further: Record<string, string> = {}) {
  const config = resolveOptions({ target: 'https://provider.example', ...options })
  const client = { remoteAddress: undefined, encrypted: false }
  const whole = { method: 'POST', url: '/v1/x', headers: {}, body: undefined, client, ...request }
  return collectSecrets(whole, config, [further]).mask(text)
}

describe('the secrets of a request', () => {
  test('are its credentials, including those that functions return', () => {
    const auth = { headers: { authorization: () => 'unused' }, query: { key: () => 'unused' } }
    const request = { url: '/v1/x?a=1&key=AIza%2F123', headers: { authorization: 'Bearer sk-123' } }
    assert.equal(hidden('sk-123 AIza/123 AIza%2F123 1', { auth }, request), '****** ******** ********** 1')
  })

  test('include credentials in the headers of the app and of hooks', () => {
    const headers = { 'ocp-apim-subscription-key': 'Sub12345' }
    const request = { headers: { ...headers, authorization: 'AWS4 Signature9' } }
    assert.equal(hidden('Sub12345 Signature9', { headers }, request, { Authorization: '' }), '******** **********')
  })

  for (const name of [
    ...['authorization', 'x-auth', 'x-pass', 'x-pwd', 'x_sig', 'x-key', 'x-apikey', 'x-token', 'x-secret-id'],
    ...['x-password', 'x-credentials', 'x-cookie', 'x-signature-2', 'x-assertion', 'x-bearer', 'x-jwt'],
  ]) {
    test(`include a short value under a name that says so: ${name}`, () => {
      const headers = { [name]: 'Abcd1234' }
      assert.equal(hidden('Abcd1234', { headers }, { headers }), '********')
    })
  }

  for (const name of ['x-author', 'x-passenger', 'x-signal', 'x-keyboard', 'x-kind']) {
    test(`do not include one under a name that only begins so: ${name}`, () => {
      const headers = { [name]: 'Abcd1234' }
      assert.equal(hidden('Abcd1234', { headers }, { headers }), 'Abcd1234')
    })
  }

  test('include values under an unknown name that look like a key', () => {
    const headers = { 'x-tenant': 'payments-team', 'x-gate': '0123456789abcdef' }
    assert.equal(hidden('payments-team 0123456789abcdef', { headers }, { headers }), `payments-team ${'*'.repeat(16)}`)
  })

  test('do not include model names, URLs or JSON, which answers contain', () => {
    const headers = {
      'x-portkey-model': 'gpt-4o-2024-08-06',
      'x-site': 'https://app1.example/chat',
      'x-tags': '{"app":"chat","tier":1}',
    }
    const text = Object.values(headers).join(' ')
    assert.equal(hidden(text, { headers }, { headers }), text)
  })

  test('do not include known harmless values, wherever they are', () => {
    const query = { 'api-version': '2024-10-21', key: 'AIza1234' }
    const headers = { 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-12345' }
    const request = { url: '/v1/x?api-version=2024-10-21&key=AIza1234', headers }
    const auth = { headers, query }
    assert.equal(hidden('2024-10-21 2023-06-01 sk-12345', { auth }, request), '2024-10-21 2023-06-01 ********')
  })

  test('do not include what a format says is no secret, next to its credentials', () => {
    const headers = {
      authorization: 'AWS4 Signature9',
      'x-amz-date': '20261130T0000Z',
      'x-amz-content-sha256': 'e3b0c442',
    }
    const request = { url: '/v1/x?alt=sse-4711', headers }
    const text = '20261130T0000Z e3b0c442 sse-4711'
    assert.equal(
      hidden(`Signature9 ${text}`, { auth: { headers, query: { alt: 'sse-4711' } } }, request),
      `********** ${text}`,
    )
  })

  test('include values under names such as x-project-key, which only start like harmless ones', () => {
    for (const name of [
      'x-project-key',
      'x-model-api-key',
      'deployment-token',
      'x-region-secret',
      'accept-key',
      'organization-api-key',
      'x-project-auth',
      'x-project-access',
    ]) {
      const headers = { [name]: 'sk-12345' }
      assert.equal(hidden('sk-12345', { auth: { headers } }, { headers }), '********', name)
    }
    for (const name of ['x-project-key', 'x-model-api-key', 'x-region-secret']) {
      const headers = { [name]: 'sk-12345' }
      assert.equal(hidden('sk-12345', { headers }, { headers }), '********', name)
      assert.equal(hidden('sk-12345', {}, { headers }, headers), '********', name)
    }
    for (const name of ['project_key', 'model_key', 'projectKey']) {
      const url = `/v1/x?${name}=sk-12345`
      assert.equal(hidden('sk-12345', { auth: { query: { [name]: 'sk-12345' } } }, { url }), '********', name)
    }
  })

  test('do not include values in auth under a name known to be harmless', () => {
    const headers = {
      'content-type': 'application/json',
      'http-referer': 'https://app1.example/chat',
      'x-title': 'The App 2',
      'openai-organization': 'org-12345',
    }
    const text = Object.values(headers).join(' ')
    assert.equal(hidden(text, { auth: { headers } }, { headers }), text)
  })

  test("do not include the client's own credentials", () => {
    assert.equal(
      hidden('sk-of-the-client-1', {}, { headers: { authorization: 'Bearer sk-of-the-client-1' } }),
      'sk-of-the-client-1',
    )
  })
})
