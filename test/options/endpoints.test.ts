import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { compileEndpoints } from '../../lib/options/endpoints.js'
import { admitEndpoint } from '../../lib/request/admit-endpoint.js'
import { providerPath } from '../../lib/request/provider-path.js'

/** Whether a request gets through, path spelling and all. */
function admits(endpoints: AiProxyOptions['endpoints'], prefix: string, method: string, url: string): boolean {
  try {
    admitEndpoint(compileEndpoints(endpoints, prefix)(providerPath(url).decoded), method)
    return true
  } catch {
    return false
  }
}

describe('by default', () => {
  const endpoints = [
    'POST chat/completions',
    'POST completions',
    'POST responses',
    'POST embeddings',
    'POST messages',
    'POST messages/count_tokens',
    'GET models',
    'GET models/gpt-5',
    'HEAD models',
    'POST models/gemini-2.5-pro:generateContent',
    'POST models/gemini-2.5-pro:streamGenerateContent',
    'POST models/gemini-2.5-pro:countTokens',
    'POST models/gemini-2.5-pro:embedContent',
    'POST models/gemini-2.5-pro:batchEmbedContents',
    'POST models/gemini-2.5-pro%3AgenerateContent',
    'POST model/anthropic.claude-v2%3A1/converse',
    'POST model/anthropic.claude-v2:1/converse-stream',
    'POST model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Fx/converse',
  ]
  for (const prefix of [
    '',
    '/v1',
    '/v1beta',
    '/v1alpha',
    '/v2',
    '/v2beta1',
    '/openai/v1',
    '/api/v1',
    '/api',
    '/openai',
  ]) {
    for (const endpoint of endpoints) {
      const [method = '', path] = endpoint.split(' ')
      test(`${method} ${prefix}/${path} can be reached`, () => {
        assert.equal(admits(undefined, '', method, `${prefix}/${path}`), true)
      })
    }
  }

  for (const [method, path] of [
    ['POST', '/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21'],
    ['POST', '/openai/deployments/my-gpt/completions'],
    ['POST', '/openai/deployments/my-gpt/embeddings'],
    ['POST', '/openai/deployments/my-gpt/responses'],
    ['POST', '/api/chat'],
    ['POST', '/api/generate'],
    ['POST', '/v2/chat'],
    ['POST', '/api/v2/chat'],
    ['POST', '/v1/chat/completions?stream=1'],
  ] as const) {
    test(`${method} ${path} can be reached`, () => assert.equal(admits(undefined, '', method, path), true))
  }

  for (const [method, path] of [
    ['GET', '/v1/files'],
    ['POST', '/v1/files'],
    ['POST', '/v1/fine_tuning/jobs'],
    ['POST', '/v1/batches'],
    ['GET', '/v1/batches'],
    ['POST', '/v1/messages/batches'],
    ['POST', '/v1/assistants'],
    ['POST', '/v1/threads'],
    ['POST', '/v1/threads/t/messages'],
    ['GET', '/v1/organization/usage/completions'],
    ['POST', '/v1/organization/admin_api_keys'],
    ['DELETE', '/v1/models/ft:x'],
    ['POST', '/v1/models'],
    ['POST', '/v1/models/gpt-5'],
    ['PUT', '/v1/models/gpt-5'],
    ['GET', '/v1/models/a/b/c'],
    ['PUT', '/v1/responses/resp_1'],
    ['POST', '/v1/responses/resp_1'],
    ['DELETE', '/v1/responses'],
    ['GET', '/v1/responses'],
    ['GET', '/v1/chat/completions'],
    ['GET', '/v1/chat/completions/c_1'],
    ['POST', '/v1/chat/completions/c_1'],
    ['DELETE', '/v1/chat/completions/c_1'],
    ['PATCH', '/v1/chat/completions'],
    ['post', '/v1/chat/completions'],
    ['CONNECT', '/v1/chat/completions'],
    ['POST', '/v1/files/v1/chat/completions'],
    ['POST', '/v1/v1/chat/completions'],
    ['POST', '/v1/Chat/Completions'],
    ['POST', '/V1/chat/completions'],
    ['POST', '/v1/chat/completions/'],
    ['GET', '/v1/models/'],
    ['POST', '/v1/chat/completionsx'],
    ['POST', '/v1x/chat/completions'],
    ['POST', '/v/chat/completions'],
    ['POST', '/chat'],
    ['POST', '/v1/generate'],
    ['POST', '/api/pull'],
    ['DELETE', '/api/delete'],
    ['POST', '/v1beta/models/gemini:batchGenerateContent'],
    ['POST', '/v1beta/models/a/b:generateContent'],
    ['POST', '/v1beta/cachedContents'],
    ['POST', '/model/a/b/converse'],
    ['POST', '/model//converse'],
    ['POST', '/model/x/invoke-async'],
    ['POST', '/model/a%2Fb/converse'],
    ['DELETE', '/openai/deployments/my-gpt'],
    ['POST', '/openai/deployments/a/b/chat/completions'],
    ['POST', '/v1/messages/../files'],
    ['POST', '/v1/chat/completions%2f..%2f..%2ffiles'],
    ['GET', '/v1/models/..'],
    ['GET', '/v1/models/..;'],
    ['GET', '/v1/models/%2e%2e'],
    ['POST', '/'],
  ] as const) {
    test(`${method} ${path} cannot be reached`, () => assert.equal(admits(undefined, '', method, path), false))
  }

  describe('with a target that has a path', () => {
    for (const [prefix, method, path, reached] of [
      ['/v1', 'POST', '/chat/completions', true],
      ['/v1', 'POST', '/v1/chat/completions', true],
      ['/api', 'POST', '/chat', true],
      ['/api', 'POST', '/generate', true],
      ['/v2', 'POST', '/chat', true],
      ['/v3', 'POST', '/chat', false],
      ['/some/gateway/openai', 'POST', '/v1/chat/completions', true],
      ['/some/gateway', 'POST', '/files', false],
      ['/v1', 'DELETE', '/models/x', false],
    ] as const) {
      test(`${prefix}: ${method} ${path}: ${reached}`, () => {
        assert.equal(admits(undefined, prefix, method, path), reached)
      })
    }
  })
})

describe('a list', () => {
  for (const [rule, method, path, reached] of [
    ['files', 'POST', '/v1/files', true],
    ['files', 'DELETE', '/files', true],
    ['/files', 'GET', '/v1/files', true],
    ['files', 'GET', '/v1/files/f1', false],
    ['files', 'GET', '/v1/myfiles', false],
    ['GET files', 'GET', '/v1/files', true],
    ['GET files', 'HEAD', '/v1/files', true],
    ['GET files', 'POST', '/v1/files', false],
    ['GET   files', 'GET', '/files', true],
    ['files/*', 'GET', '/v1/files/f1', true],
    ['files/*', 'GET', '/v1/files/', false],
    ['files/*', 'GET', '/v1/files', false],
    ['files/*', 'GET', '/v1/files/f1/content', false],
    ['files/*/content', 'GET', '/v1/files/f1/content', true],
    ['models/*:predict', 'POST', '/v1/models/x:predict', true],
    ['models/*:predict', 'POST', '/v1/models/:predict', false],
    ['v1/files', 'GET', '/v1/files', true],
    // What a RegExp would read otherwise.
    ['a.b', 'GET', '/axb', false],
    ['a.b', 'GET', '/a.b', true],
    ['a+(b)', 'GET', '/a+(b)', true],
    ['a+(b)', 'GET', '/aab', false],
    ['a|files', 'GET', '/files', false],
    ['constructor', 'GET', '/v1/constructor', true],
    [/^\/v1\/files$/, 'GET', '/v1/files', true],
    [/^\/v1\/files$/, 'DELETE', '/v1/files', true],
    [/^\/v1\/files$/, 'GET', '/v1/files/x', false],
    [/^\/v1\/FILES$/i, 'GET', '/v1/files', true],
  ] as const) {
    test(`${rule}: ${method} ${path}: ${reached}`, () => assert.equal(admits([rule], '', method, path), reached))
  }

  test('replaces the default list', () => {
    assert.equal(admits(['files'], '', 'POST', '/v1/chat/completions'), false)
  })

  test('without rules allows nothing', () => {
    assert.equal(admits([], '', 'POST', '/v1/chat/completions'), false)
  })

  test('may have several rules for a path, which add up', () => {
    const filter = compileEndpoints(['GET files', 'POST files'], '')
    assert.deepEqual(filter('/v1/files'), ['GET', 'HEAD', 'POST'])
    assert.equal(compileEndpoints(['GET files', /files/], '')('/v1/files'), 'any')
    assert.deepEqual(filter('/v1/other'), [])
  })

  test('matches chat and generate as they are, under any version', () => {
    assert.equal(admits(['chat'], '', 'POST', '/v1/chat'), true)
    assert.equal(admits(['generate'], '', 'POST', '/v1/generate'), true)
  })

  for (const flags of ['g', 'y', 'gy']) {
    test(`may have a RegExp with ${flags}, which gives the same answer each time`, () => {
      const filter = compileEndpoints([new RegExp('/v1/files', flags)], '')
      assert.deepEqual(
        [1, 2, 3].map(() => filter('/v1/files')),
        ['any', 'any', 'any'],
      )
      // What a path got before is remembered: only another one asks the RegExp again.
      assert.equal(filter('/v1/files/x'), 'any')
    })
  }

  test('passes a RegExp the path as the provider gets it: decoded, with the target’s own', () => {
    assert.equal(admits([/^\/v1\/x:y$/], '/v1', 'GET', '/x%3Ay'), true)
  })
})

test("'all' allows every valid path", () => {
  assert.equal(admits('all', '', 'DELETE', '/v1/files/x'), true)
  assert.equal(admits('all', '', 'GET', '/'), true)
  assert.equal(admits('all', '', 'GET', '/v1/../x'), false)
  assert.equal(admits('all', '', 'GET', '//evil.example'), false)
})

describe('an invalid option throws', () => {
  for (const [option, names] of [
    ['alle', /endpoints takes a list of strings and RegExps, or 'all'; got 'alle'/],
    [{}, /endpoints takes/],
    [true, /endpoints takes/],
    [null, /endpoints takes/],
    [/files/, /endpoints takes/],
    [['files', 5], /endpoints\[1\] takes a path like .*; got 5/],
    [[''], /endpoints\[0\] takes/],
    [['post files'], /endpoints\[0\] takes/],
    [['GET /v1/files extra'], /endpoints\[0\] takes/],
    [['files?x=1'], /endpoints\[0\] takes/],
    [[null], /endpoints\[0\] takes/],
  ] as const) {
    test(JSON.stringify(option), () => {
      assert.throws(() => compileEndpoints(option as never, ''), { name: 'TypeError', message: names })
    })
  }
})

describe('admitEndpoint', () => {
  test('names the methods that an endpoint allows', () => {
    assert.throws(() => admitEndpoint(['GET', 'HEAD'], 'DELETE'), {
      code: 'method_not_allowed',
      status: 405,
      message: 'This endpoint takes GET and HEAD, not DELETE',
      headers: { allow: 'GET, HEAD, OPTIONS' },
    })
  })
  test('joins more than two methods as a sentence does', () => {
    const message = 'This endpoint takes GET, HEAD and DELETE, not POST'
    assert.throws(() => admitEndpoint(['GET', 'HEAD', 'DELETE'], 'POST'), { message })
    assert.throws(() => admitEndpoint(['POST'], 'GET'), { message: 'This endpoint takes POST, not GET' })
  })
  test('never allows TRACE, which would show the client our credentials', () => {
    for (const methods of ['any', ['TRACE']] as const) {
      assert.throws(() => admitEndpoint(methods, 'TRACE'), { code: 'endpoint_not_allowed', message: /TRACE/ })
    }
  })
  test('names the option that allows an endpoint', () => {
    assert.throws(() => admitEndpoint([], 'GET'), { code: 'endpoint_not_allowed', message: /`endpoints`/ })
  })
})
