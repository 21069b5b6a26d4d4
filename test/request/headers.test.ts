import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { isCredentialHeader } from '../../lib/options/credential-names.js'
import {
  compileForwardHeaders,
  defaultForwardHeaders,
  isHarmlessHeader,
  withoutPromises,
} from '../../lib/options/forward-headers.js'
import { forwardedHeaders, listNotForwarded } from '../../lib/request/headers.js'
import { settled } from '../support/event-loop.js'

const view = { id: 'of the exchange' } as HookedExchange
const exchange = { hookView: () => view }

/** The filter, as it is in one exchange. */
function filterOf(...args: Parameters<typeof compileForwardHeaders>): (name: string) => boolean {
  const filter = compileForwardHeaders(...args)
  return (name) => filter(name, exchange)
}

const CREDENTIALS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'openai-organization', 'openai-project']
const NEVER = [
  'cookie',
  'cookie2',
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'content-length',
  'accept-encoding',
  'set-cookie',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
  'x-original-host',
  ...['x-original-uri', 'x-original-method', 'x-original-path', 'x-rewrite-uri', 'x-override-url', 'x-override-method'],
  ...['x-host', 'x-host-override', 'x-method', 'x-envoy-original-path'],
  'x-goog-fieldmask',
  // As servers read it that know headers as variables.
  'content_length',
  'transfer_encoding',
  'x_http_method_override',
  // HTTP/2's.
  ':method',
  ':path',
  ':scheme',
  ':authority',
]
/** Where a request comes from, as a client may make it up. */
const ORIGINS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'forwarded',
  'x-real-ip',
  'x_forwarded_proto',
]

describe('by default', () => {
  for (const holdsCredentials of [true, false]) {
    const forwards = filterOf(undefined, holdsCredentials)
    const when = holdsCredentials ? 'with credentials of ours' : 'without'

    test(`the short list is forwarded (${when})`, () => {
      for (const name of [
        'accept',
        'content-type',
        'user-agent',
        'anthropic-version',
        'anthropic-beta',
        'openai-beta',
        'x-request-id',
        'idempotency-key',
        'traceparent',
        'tracestate',
        'x-stainless-lang',
        'x-stainless-retry-count',
        // What the answer would be without.
        'x-amzn-bedrock-guardrailidentifier',
        'x-amzn-bedrock-guardrailversion',
        'x-amzn-bedrock-trace',
        'x-ms-oai-image-generation-deployment',
        'x-policy-id',
        'x-dashscope-datainspection',
        'extra-parameters',
        'x-vertex-ai-llm-request-type',
        'last-event-id',
        'mcp-session-id',
        'mcp-protocol-version',
        // Whose request it is, and which others belong to it.
        'http-referer',
        'x-title',
        'x-openrouter-categories',
        'x-client-request-id',
        'session_id',
        'x-codex-turn-state',
        'x-grok-conv-id',
        'x-session-affinity',
      ]) {
        assert.equal(forwards(name), true, name)
      }
    })

    test(`nothing else is (${when})`, () => {
      for (const name of [
        ...NEVER,
        'origin',
        'referer',
        'x-forwarded-for',
        'x-stainles',
        'x-real-ip',
        'x-csrf-token',
        '',
      ]) {
        assert.equal(forwards(name), false, name)
      }
    })

    test(`no header is whose name only begins like one on the list (${when})`, () => {
      for (const name of ['x-stainless-authorization', 'x-codex-access-token', 'x-amzn-bedrock-api-key']) {
        assert.equal(forwards(name), !holdsCredentials, name)
      }
    })

    test(`the client’s own credentials ${holdsCredentials ? 'are not' : 'are'} (${when})`, () => {
      for (const name of CREDENTIALS) assert.equal(forwards(name), !holdsCredentials, name)
    })
  }

  test('no header on the list is a credential', () => {
    assert.deepEqual(defaultForwardHeaders.filter(isCredentialHeader), [])
  })
})

describe('a list', () => {
  test('replaces the default, case-insensitively', () => {
    const forwards = filterOf(['X-Mine', 'x-trace-*'], false)
    const asked = ['x-mine', 'x-trace-', 'x-trace-id', 'x-tracer', 'accept', 'authorization', 'x-mine2']
    assert.deepEqual(asked.filter(forwards), ['x-mine', 'x-trace-', 'x-trace-id'])
  })

  test('that is empty forwards nothing', () => {
    const forwards = filterOf([], false)
    assert.deepEqual(['accept', 'authorization', ...NEVER].filter(forwards), [])
  })

  test('may name the client’s credentials if the proxy holds none', () => {
    assert.equal(filterOf(['authorization'], false)('authorization'), true)
  })

  test('with * forwards no cookies, no hop-by-hop headers, and no credentials if the proxy holds some', () => {
    assert.deepEqual([...NEVER, ...CREDENTIALS].filter(filterOf(['*'], true)), [])
    assert.deepEqual([...NEVER, ...CREDENTIALS].filter(filterOf(['*'], false)), CREDENTIALS)
    assert.equal(filterOf(['*'], true)('x-anything'), true)
    assert.deepEqual(ORIGINS.filter(filterOf(['*', 'x-f*'], false)), [])
    assert.equal(filterOf(['co*', 'a*'], true)('cookie'), false)
  })

  test("may name headers with the client's address", () => {
    assert.deepEqual(ORIGINS.filter(filterOf(ORIGINS, true)), ORIGINS)
  })

  for (const name of NEVER) {
    test(`that names ${name} throws`, () => {
      const expected = {
        name: 'TypeError',
        message: new RegExp(`forwardHeaders takes .* is never forwarded; got '${name}'`),
      }
      assert.throws(() => filterOf(['accept', name.toUpperCase()], false), expected)
    })
  }

  for (const name of CREDENTIALS) {
    test(`that names ${name} while auth is set throws`, () => {
      assert.throws(() => filterOf([name], true), {
        name: 'TypeError',
        message: /forwardHeaders .*`auth`/,
      })
    })
  }
})

describe('a function', () => {
  test('replaces the default', () => {
    const forwards = filterOf((name) => name.startsWith('x-'), false)
    assert.deepEqual(['x-a', 'accept', 'x-api-key'].filter(forwards), ['x-a', 'x-api-key'])
  })

  const disguised = [
    ...['x_api_key', 'X_Goog_Api_Key'.toLowerCase(), 'authorization_', 'ocp-apim-subscription-key', 'x-functions-key'],
    ...[
      'x-amz-security-token',
      'cf-access-jwt-assertion',
      'x-amzn-oidc-data',
      'x-amzn-oidc-accesstoken',
      'helicone-auth',
    ],
    ...['x-ms-client-principal', 'x-goog-authenticated-user-email', 'x-forwarded-authorization', 'x-access-token'],
    ...[
      'x-client-secret',
      'x-goog-user-project',
      'chatgpt-account-id',
      'sec-websocket-protocol',
      'x-my-password',
      'apikey',
    ],
    ...['x-apitoken', 'x-openrouter-apitoken', 'secretkey', 'masterkey', 'dpop', 'remote-user', 'client-cert'],
  ]
  for (const name of disguised) {
    test(`forwards ${name} only if the proxy holds no credentials`, () => {
      assert.equal(filterOf(() => true, true)(name), false)
      assert.equal(filterOf(() => true, false)(name), !name.startsWith('x-forwarded-'))
      assert.throws(() => filterOf([name], true), /`auth` is set/)
    })
  }

  test('forwards headers whose names only resemble credentials', () => {
    const forwards = filterOf(() => true, true)
    for (const name of ['x-idempotency-key', 'x-cache-key', 'x-max-tokens', 'x-keyword', 'x-author', 'x-session-id']) {
      assert.equal(forwards(name), true, name)
    }
  })

  for (const answer of [1, 'yes', {}, [], new Date(0), () => true]) {
    test(`means yes by true only, not by ${typeof answer} ${String(answer)}`, () => {
      assert.equal(filterOf((() => answer) as never, false)('x-a'), false)
    })
  }

  test("that returns a promise throws, and the promise's rejection is handled", async () => {
    const rejections: unknown[] = []
    const listen = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', listen)
    const then = (_: unknown, reject: (error: Error) => void) => reject(new Error('late'))
    const thenable = Object.fromEntries([['then', then]])
    for (const answer of [Promise.resolve(true), Promise.reject(new Error('no')), thenable]) {
      assert.throws(() => filterOf(withoutPromises((() => answer) as never), false)('x-a'), {
        name: 'TypeError',
        message: 'forwardHeaders must return true or false at once; got a promise',
      })
    }
    await settled()
    process.off('unhandledRejection', listen)
    assert.deepEqual(rejections, [])
  })

  test('is not called for headers that are never forwarded', () => {
    const asked: string[] = []
    const forwards = filterOf((name, given) => given === view && asked.push(name) > 0, true)
    assert.deepEqual([...NEVER, ...ORIGINS, ...CREDENTIALS, 'x-a'].filter(forwards), ['x-a'])
    assert.deepEqual(asked, ['x-a'])
  })
})

describe('anything else throws', () => {
  for (const option of ['accept', 5, null, {}, true, ['a', 5]]) {
    test(JSON.stringify(option), () => {
      assert.throws(() => filterOf(option as never, false), {
        name: 'TypeError',
        message: /forwardHeaders takes a list of header names, or a function/,
      })
    })
  }
})

describe('forwardedHeaders', () => {
  const everything = () => true

  test('forwards what the filter allows', () => {
    const forwards = filterOf(undefined, true)
    const client = {
      accept: '*/*',
      cookie: 'a=b',
      authorization: 'Bearer mine',
      'x-stainless-os': 'Linux',
      host: 'app',
    }
    assert.deepEqual(forwardedHeaders(client, forwards), { accept: '*/*', 'x-stainless-os': 'Linux' })
  })

  for (const connection of ['x-hop, close', 'close,X-Hop', 'X-HOP', 'keep-alive ,  x-hop ,x']) {
    test(`drops what \`connection: ${connection}\` names`, () => {
      const client = { connection, 'x-hop': '1', 'x-other': '2' }
      assert.deepEqual(
        forwardedHeaders(client, (name) => name !== 'connection'),
        { 'x-other': '2' },
      )
    })
  }

  test('keeps lists, drops headers without a value', () => {
    assert.deepEqual(forwardedHeaders({ 'x-a': ['1', '2'] as never, 'x-b': undefined }, everything), {
      'x-a': ['1', '2'],
    })
  })
})

describe('isHarmlessHeader', () => {
  for (const name of [
    ...[
      'Accept',
      'User-Agent',
      'anthropic-version',
      'anthropic-beta',
      'x-openrouter-title',
      'HTTP-Referer',
      'X-Title',
      'x-team',
      'X-Tenant-Id',
    ],
    ...['x-goog-api-client', 'api-version', 'x-correlation-id', 'baggage', 'cache-control', 'traceparent'],
  ]) {
    test(`${name} is known to be harmless`, () => assert.equal(isHarmlessHeader(name), true))
  }
  for (const name of [
    ...['Ocp-Apim-Subscription-Key', 'cookie', 'Authorization', 'X-Gateway-Pass', 'x-functions-host', 'x-codex-token'],
    ...['x-goog-user-project', 'x_api_key', 'x-secret-version', 'api-key'],
  ]) {
    test(`${name} may be a credential`, () => assert.equal(isHarmlessHeader(name), false))
  }
})

test('listNotForwarded names the headers that are not forwarded, without their values', () => {
  const client = {
    host: 'app',
    cookie: 'a',
    connection: 'close',
    accept: '*/*',
    'x-mine': 'secret',
    authorization: 'Bearer secret',
  }
  assert.equal(listNotForwarded(client, { accept: '*/*' }), 'x-mine, authorization')
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`x-${at}-${'y'.repeat(1000)}`, '1']))
  assert.ok(listNotForwarded(many, {}).length < 6000)
})

test('isCredentialHeader accepts any case, and hyphens or underscores', () => {
  for (const name of ['x-api-key', 'X-Api-Key', 'X_API_KEY', 'AUTHORIZATION', 'OpenAI-Project']) {
    assert.ok(isCredentialHeader(name), name)
  }
  for (const name of ['Idempotency-Key', 'IDEMPOTENCY_KEY', 'X-Request-Id']) assert.ok(!isCredentialHeader(name), name)
})

test('the default list cannot be changed for all middlewares at once', () => {
  assert.throws(() => (defaultForwardHeaders as string[]).push('cookie'), TypeError)
})
