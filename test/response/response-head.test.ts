import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { jsonArray, ndjson, sse } from '../../lib/framing/index.js'
import { responseHeaders, streamHeaders, withoutActiveContent } from '../../lib/response/response-head.js'
import { FakeResponse } from '../support/fake-response.js'

interface Given {
  /** What the app has set. */
  ours?: Record<string, string | string[]>
  isDecoded?: boolean
  status?: number
}

function headersOf(theirs: Record<string, string | string[]>, given: Given = {}, dropped?: string[]) {
  const { ours = {}, isDecoded = false, status = 200 } = given
  const res = new FakeResponse()
  for (const [name, value] of Object.entries(ours)) res.setHeader(name, value)
  const response = { headers: theirs, statusCode: status } as unknown as IncomingMessage
  const headers = responseHeaders(response, res.asServerResponse, isDecoded, (names) => dropped?.push(...names))
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
}

describe('responseHeaders', () => {
  test('drops hop-by-hop headers, and those named in `connection`', () => {
    const headers = headersOf({
      connection: 'Keep-Alive, X-Kong-Hop',
      'keep-alive': 'timeout=5',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      trailer: 'x',
      te: 'trailers',
      'proxy-authenticate': 'Basic',
      'x-kong-hop': '1',
      'x-trace-id': 't1',
    })
    assert.deepEqual(headers, { 'x-trace-id': 't1' })
  })

  for (const name of [
    ...['set-cookie', 'set-cookie2', 'strict-transport-security', 'alt-svc', 'nel', 'report-to', 'clear-site-data'],
    ...['reporting-endpoints', 'www-authenticate', 'refresh', 'service-worker-allowed', 'access-control-allow-origin'],
    ...['access-control-expose-headers', 'access-control-max-age', 'timing-allow-origin', 'x-accel-redirect'],
    ...['x-accel-buffering', 'x-accel-expires', 'x-accel-limit-rate', 'x-sendfile', 'x-lighttpd-send-file'],
    ...['x-reproxy-url', 'x-litespeed-location', 'x-litespeed-cache-control', 'x-middleware-rewrite'],
    ...['x-envoy-immediate-health-check-fail', 'x-envoy-ratelimited', 'x-envoy-retry-after-time'],
    ...['surrogate-control', 'surrogate-key', 'cdn-cache-control', 'cache-tag', 'edge-control', 'xkey'],
    ...['content-security-policy', 'content-security-policy-report-only', 'cross-origin-opener-policy'],
    ...['x-frame-options', 'x-content-type-options', 'x-xss-protection', 'referrer-policy', 'permissions-policy'],
    ...['document-policy', 'integrity-policy', 'origin-trial', 'origin-agent-cluster', 'speculation-rules'],
    ...['sourcemap', 'x-sourcemap', 'accept-ch', 'critical-ch', 'set-login', 'public-key-pins', 'expect-ct', 'p3p'],
    ...['authorization', 'cookie', 'host', 'x-amzn-remapped-authorization', 'x-amz-security-token', 'x-auth-token'],
    ...['x-ms-token-aad-access-token', 'server', 'x-powered-by', 'via', 'x-robots-tag'],
    ...['x-kong-limit', 'x-ms-invokeapp', 'x-amzn-oidc-data', 'x-amzn-oidc-accesstoken'],
    ...['content-base', 'x-ua-compatible', 'no-vary-search', 'x-a-header-of-next-year'],
  ]) {
    test(`drops ${name}, and reports its name`, () => {
      const dropped: string[] = []
      assert.deepEqual(headersOf({ [name]: 'x', etag: 'y' }, {}, dropped), { etag: 'y' })
      assert.deepEqual(dropped, [name])
    })
  }

  for (const name of [
    ...['content-type', 'content-language', 'content-range', 'content-disposition', 'accept-ranges', 'cache-control'],
    ...['etag', 'last-modified', 'expires', 'age', 'date', 'retry-after', 'retry-after-ms', 'x-ms-retry-after-ms'],
    ...['x-should-retry', 'deprecation', 'sunset', 'warning', 'allow', 'server-timing', 'mcp-session-id'],
    ...['ratelimit', 'ratelimit-policy', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-tokens'],
    ...['anthropic-ratelimit-tokens-reset', 'anthropic-priority-input-tokens-limit', 'x-rate-limit-limit'],
    ...[
      'x-trial-endpoint-call-remaining',
      'x-upstream-request-id',
      'request-id',
      'x-amzn-requestid',
      'apim-request-id',
    ],
    ...['x-amz-request-id', 'x-ds-trace-id', 'x-debug-trace-id', 'mistral-correlation-id', 'nvcf-reqid', 'cf-ray'],
    ...['openai-processing-ms', 'openai-organization', 'openai-version', 'openai-model', 'anthropic-organization-id'],
    ...['x-amzn-bedrock-input-token-count', 'x-amzn-errortype', 'x-ms-region', 'azureml-model-session'],
    ...['ms-azureml-model-error-reason', 'x-gemini-service-tier', 'x-cohere-api-version'],
    ...[
      'x-groq-region',
      'x-openrouter-provider',
      'llm_provider-request-id',
      'x-litellm-response-cost',
      'cf-aig-log-id',
    ],
    ...['x-goog-upload-status', 'x-inference-time', 'x-compute-type', 'x-codex-primary-used-percent', 'num_tokens'],
    ...['req-cost-time', 'x-envoy-upstream-service-time', 'x-kong-upstream-latency', 'x-prompt-tokens'],
  ]) {
    test(`keeps ${name}`, () => assert.deepEqual(headersOf({ [name]: 'x' }), { [name]: 'x' }))
  }

  test('leaves URLs to the code that rewrites them, and does not report them as dropped', () => {
    const dropped: string[] = []
    const links = {
      location: '/x',
      'content-location': '/x',
      link: '</x>; rel="next"',
      'x-goog-upload-url': 'https://p',
    }
    assert.deepEqual(headersOf(links, {}, dropped), {})
    assert.deepEqual(dropped, [])
  })

  test('leaves out `x-request-id`, which request-ids.ts renames, and does not report it as dropped', () => {
    const dropped: string[] = []
    assert.deepEqual(headersOf({ 'x-request-id': 'r' }, {}, dropped), {})
    assert.deepEqual(dropped, [])
  })

  test('handles names of any length in linear time', () => {
    for (const name of ['-'.repeat(16_000), 'x-'.repeat(8000), `rate${'-'.repeat(8000)}`, 'a_'.repeat(8000)]) {
      assert.deepEqual(headersOf({ [name]: 'x' }), {})
    }
  })

  test("keeps what the app has set, except what describes the provider's body", () => {
    const ours = {
      'x-trace-id': 'ours',
      'cache-control': 'no-store',
      date: 'ours',
      'content-type': 'application/json',
      vary: 'Origin',
    }
    const theirs = {
      'x-trace-id': 'theirs',
      'cache-control': 'public',
      date: 'theirs',
      'content-type': 'audio/mpeg',
      vary: 'Accept',
    }
    assert.deepEqual(headersOf(theirs, { ours }), { 'content-type': 'audio/mpeg', vary: 'Origin, Accept' })
  })

  for (const [ours, theirs, merged] of [
    [undefined, 'Accept', 'Accept'],
    ['Origin', 'Accept', 'Origin, Accept'],
    [['Origin', 'Cookie'], 'Accept', 'Origin, Cookie, Accept'],
  ] as const) {
    test(`vary ${ours} and ${theirs}: ${merged}`, () => {
      const set: Given['ours'] = ours === undefined ? {} : { vary: [ours].flat() }
      assert.deepEqual(headersOf({ vary: theirs }, { ours: set }), { vary: merged })
    })
  }

  test('leaves the app’s `vary` if the provider sends none', () => {
    assert.deepEqual(headersOf({}, { ours: { vary: 'Origin' } }), {})
  })

  test('of a decoded response removes the encoding and its length', () => {
    const theirs = { 'content-encoding': 'gzip', 'content-length': '12', etag: 'x' }
    assert.deepEqual(headersOf(theirs, { isDecoded: true }), { etag: 'x' })
    assert.deepEqual(headersOf(theirs), theirs)
  })

  test('of a decoded response removes everything that describes the encoded bytes', () => {
    const coded = {
      'content-digest': 'a',
      'repr-digest': 'a',
      digest: 'a',
      'content-md5': 'a',
      'accept-ranges': 'bytes',
    }
    const theirs = { 'content-encoding': 'gzip', ...coded, 'content-range': 'bytes 0-1/2', etag: '"x"' }
    assert.deepEqual(headersOf(theirs, { isDecoded: true }), { etag: 'W/"x"' })
    assert.deepEqual(headersOf(theirs), theirs)
    assert.deepEqual(headersOf({ etag: 'W/"x"' }, { isDecoded: true }), { etag: 'W/"x"' })
  })

  test('of a 204 removes the length, of a 304 keeps it', () => {
    assert.deepEqual(headersOf({ 'content-length': '12' }, { status: 204 }), {})
    assert.deepEqual(headersOf({ 'content-length': '12' }, { status: 304 }), { 'content-length': '12' })
  })
})

describe('withoutActiveContent', () => {
  const powerless = (type: string | undefined, ours: Record<string, string> = {}, isEmpty = false) => {
    const res = new FakeResponse()
    for (const [name, value] of Object.entries(ours)) res.setHeader(name, value)
    return withoutActiveContent(type === undefined ? {} : { 'content-type': type }, isEmpty, res.asServerResponse)
  }

  for (const [type, expected] of [
    ['text/html', 'text/plain; charset=utf-8'],
    ['Text/HTML; charset=ISO-8859-1', 'text/plain; charset=ISO-8859-1'],
    ['text/html; charset=utf-7', 'text/plain; charset=utf-8'],
    ['text/html, application/json', 'text/plain; charset=utf-8'],
    ['application/json, text/html', 'text/plain; charset=utf-8'],
    ['application/xhtml+xml', 'text/plain; charset=utf-8'],
    ['image/svg+xml', 'text/plain; charset=utf-8'],
    ['application/xml', 'text/plain; charset=utf-8'],
    ['application/atom+xml', 'text/plain; charset=utf-8'],
    ['text/javascript; charset=utf-8', 'text/plain; charset=utf-8'],
    ['application/x-javascript', 'text/plain; charset=utf-8'],
    ['application/ecmascript', 'text/plain; charset=utf-8'],
    ['text/css', 'text/plain; charset=utf-8'],
    ['multipart/x-mixed-replace; boundary=x', 'text/plain; charset=utf-8'],
    ['multipart/related; boundary=x', 'text/plain; charset=utf-8'],
    ['message/rfc822', 'text/plain; charset=utf-8'],
    ['application/x-mimearchive', 'text/plain; charset=utf-8'],
    ['text/vbscript', 'text/plain; charset=utf-8'],
    ['text/scriptlet', 'text/plain; charset=utf-8'],
    ['text/x-component', 'text/plain; charset=utf-8'],
    ['text/xsl', 'text/plain; charset=utf-8'],
    ['application/hta', 'text/plain; charset=utf-8'],
    ['application/xslt', 'text/plain; charset=utf-8'],
    [undefined, 'application/octet-stream'],
    ['', 'application/octet-stream'],
  ] as const) {
    test(`${type}: becomes ${expected}, in a sandbox`, () => {
      assert.deepEqual(powerless(type), { 'content-type': expected, 'content-security-policy': 'sandbox' })
    })
  }

  for (const type of [
    ...['application/json', 'text/plain; charset=utf-8', 'audio/mpeg', 'image/png', 'application/octet-stream'],
    ...['application/problem+json', 'application/pdf', 'multipart/mixed; boundary=x', 'text/csv'],
  ]) {
    test(`${type}: stays unchanged`, () => assert.deepEqual(powerless(type), { 'content-type': type }))
  }

  test('an answer without a body needs no type; HTML becomes text/plain', () => {
    assert.deepEqual(powerless(undefined, {}, true), {})
    assert.equal(powerless('text/html', {}, true)['content-type'], 'text/plain; charset=utf-8')
  })

  test("keeps the app's own policy", () => {
    assert.deepEqual(powerless('text/html', { 'content-security-policy': "default-src 'self'" }), {
      'content-type': 'text/plain; charset=utf-8',
    })
  })
})

describe('streamHeaders', () => {
  for (const [given, ours, expected] of [
    [undefined, undefined, 'no-cache, no-transform'],
    ['no-cache', undefined, 'no-cache, no-transform'],
    ['private, max-age=0', undefined, 'private, max-age=0, no-transform'],
    ['no-cache, No-Transform', undefined, 'no-cache, No-Transform'],
    [undefined, 'no-store', 'no-store, no-transform'],
  ] as const) {
    test(`cache-control ${given}, and the app's ${ours}: becomes ${expected}`, () => {
      const headers = streamHeaders({ 'cache-control': given }, sse, ours)
      assert.equal(headers['cache-control'], expected)
    })
  }

  test('tells nginx not to buffer, and removes what identifies the bytes', () => {
    const validators = { 'content-length': '5', etag: '"a"', 'last-modified': 'Tue, 01 Dec 2026 00:00:00 GMT' }
    const headers = streamHeaders({ 'content-type': 'text/event-stream', ...validators, 'x-a': '1' }, sse)
    assert.deepEqual(headers, {
      'content-type': 'text/event-stream',
      'x-a': '1',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
  })

  for (const [framing, type, expected] of [
    [sse, undefined, 'text/event-stream; charset=utf-8'],
    [sse, 'text/plain; charset=utf-8', 'text/event-stream; charset=utf-8'],
    [sse, 'application/json, text/event-stream', 'text/event-stream; charset=utf-8'],
    [sse, 'text/event-stream;charset=UTF-8', 'text/event-stream;charset=UTF-8'],
    [ndjson, 'application/json', 'application/x-ndjson'],
    [ndjson, 'application/jsonl', 'application/jsonl'],
    [jsonArray, 'application/json; charset=UTF-8', 'application/json; charset=UTF-8'],
    [jsonArray, undefined, 'application/json; charset=utf-8'],
    // What a browser would run is no array.
    [jsonArray, 'text/html; x=json', 'application/json; charset=utf-8'],
    [jsonArray, 'application/json, text/html', 'application/json; charset=utf-8'],
    [jsonArray, 'application/xhtml+xml; a=json', 'application/json; charset=utf-8'],
    [undefined, 'text/plain', 'text/plain'],
  ] as const) {
    test(`${framing?.name ?? 'what is not known yet'} labelled ${type}: ${expected}`, () => {
      assert.equal(streamHeaders({ 'content-type': type }, framing)['content-type'], expected)
    })
  }
})
