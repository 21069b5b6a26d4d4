import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AiProxyError } from '../../lib/api/errors.js'
import { providerPath } from '../../lib/request/provider-path.js'

const ORIGIN = 'https://provider.example'

describe('paths that pass, spelled as they are', () => {
  const table: [url: string, path: string, decoded?: string, query?: string][] = [
    ['/v1/chat/completions', '/v1/chat/completions'],
    ['/', '/'],
    ['/v1/models/', '/v1/models/'],
    ['/v1/models/gpt-4.1_mini~x', '/v1/models/gpt-4.1_mini~x'],
    ['/v1beta/models/gemini-2.5:generateContent', '/v1beta/models/gemini-2.5:generateContent'],
    [
      '/v1beta/models/gemini-2.5%3AgenerateContent',
      '/v1beta/models/gemini-2.5%3AgenerateContent',
      '/v1beta/models/gemini-2.5:generateContent',
    ],
    ['/v1/models/ft:gpt:org::id', '/v1/models/ft:gpt:org::id'],
    ['/v1/models/a@b', '/v1/models/a@b'],
    ['/v1/models/caf%C3%A9', '/v1/models/caf%C3%A9', '/v1/models/café'],
    ['/v1/models/a;v=1', '/v1/models/a;v=1'],
    ['/v1/models/...', '/v1/models/...'],
    ['/v1/models/.hidden', '/v1/models/.hidden'],
    ['/v1/models/..a', '/v1/models/..a'],
    [
      '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.claude/converse',
      '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.claude/converse',
      '/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.claude/converse',
    ],
    [
      '/model/arn:aws:bedrock:us-east-1:1:application-inference-profile%2fabc/converse-stream',
      '/model/arn:aws:bedrock:us-east-1:1:application-inference-profile%2fabc/converse-stream',
      '/model/arn:aws:bedrock:us-east-1:1:application-inference-profile%2Fabc/converse-stream',
    ],
    ['/v1/models/Qwen%2FQwen2.5', '/v1/models/Qwen%2FQwen2.5', '/v1/models/Qwen%2FQwen2.5'],
    ['/v1/models/openai%2fgpt-4o:free', '/v1/models/openai%2fgpt-4o:free', '/v1/models/openai%2Fgpt-4o:free'],
    [
      '/v1/models/accounts%2Ffireworks%2Fmodels%2Fx',
      '/v1/models/accounts%2Ffireworks%2Fmodels%2Fx',
      '/v1/models/accounts%2Ffireworks%2Fmodels%2Fx',
    ],
    [
      '/v1beta/tunedModels/my%20own:generateContent',
      '/v1beta/tunedModels/my%20own:generateContent',
      '/v1beta/tunedModels/my own:generateContent',
    ],
    [
      '/openai/deployments/my%20own/responses',
      '/openai/deployments/my%20own/responses',
      '/openai/deployments/my own/responses',
    ],
    ['/v1/models/%E6%A8%A1%E5%9E%8B', '/v1/models/%E6%A8%A1%E5%9E%8B', '/v1/models/模型'],
    ['/v1/models?limit=5', '/v1/models', '/v1/models', 'limit=5'],
    ['/v1/models?', '/v1/models'],
    ['/v1/models??', '/v1/models', '/v1/models', '?'],
    ['/v1/models?a=/../b//c%2f\\@', '/v1/models', '/v1/models', 'a=/../b//c%2f\\@'],
    ['?a=1', '/', '/', 'a=1'],
    ['', '/'],
  ]
  for (const [url, path, decoded = path, query = ''] of table) {
    test(JSON.stringify(url), () => assert.deepEqual(providerPath(url), { path, decoded, query }))
  }
})

describe('a host in the URL is dropped, because the client must not choose it', () => {
  for (const [url, path, query = ''] of [
    ['http://evil.example/v1/chat/completions', '/v1/chat/completions'],
    ['https://evil.example/v1/chat/completions?x=1', '/v1/chat/completions', 'x=1'],
    ['HTTP://EVIL.EXAMPLE/v1/models', '/v1/models'],
    ['http://user:pass@evil.example:8080/v1/models', '/v1/models'],
    ['http://evil.example\\@good.example/v1/models', '/v1/models'],
    ['http://[::1]/v1/models', '/v1/models'],
    ['ws+unix://evil/v1/models', '/v1/models'],
    ['http://evil.example', '/'],
    ['http://evil.example?x=1', '/', 'x=1'],
    ['http:///v1/models', '/v1/models'],
  ] as const) {
    test(url, () => assert.deepEqual(providerPath(url), { path, decoded: path, query }))
  }
})

describe('paths that are rejected', () => {
  const table = [
    // Another host.
    '//evil.example/v1/chat/completions',
    '///evil.example/v1',
    '/\\evil.example/v1',
    '\\\\evil.example\\v1',
    '\\/evil.example/v1',
    'evil.example/v1',
    '@evil.example/v1',
    ':8080/v1',
    '.evil.example/v1',
    'http:/evil.example/v1',
    'http:evil.example/v1',
    'http:\\\\evil.example/v1',
    'http://a//evil.example/v1',
    '/http://evil.example/v1',
    'javascript:alert(1)',
    // A slash, a backslash in disguise.
    '/v1%2fchat/completions',
    '/v1%2Fchat/completions',
    '/%2fevil.example/v1',
    '/%2F%2Fevil.example',
    '/v1/files%5c..%5cx',
    '/v1/files%5C',
    '/v1/chat\\completions',
    '/v1/models/arnx:a%2Fb',
    // Slashes in a model's name stand behind `models/`, at the end, in a name that can be one.
    '/v1/models/arn:x%2Fadmin',
    '/v1/models/a%2Fb/operations',
    '/v1/files/a%2Fb',
    '/v1/files/arn:aws:s3:::x%2Fy',
    '/model/arn:x%2Fy',
    '/v1/models/a%2F',
    '/v1/models/%2Fa',
    '/v1/models/a%2F%2Fb',
    '/v1/models/..%2Ffiles',
    '/v1/models/a%2F..%2F..%2Ffiles',
    '/v1/models/a%2F..;x',
    '/v1/models/a%2Fb%2Fc%2Fd%2Fe',
    '/v1/models/a%2Fb%5Cc',
    // Spaces, too, stand in names alone, and inside.
    '/v1/fi%20les',
    '/v1/models/%20a',
    '/v1/models/a%20',
    '/v1/models/a%20%20b',
    '/v1/models/a%09b',
    '/v1/models/a%C2%A0b',
    // Slashes and dots of Unicode, what some readers fold to ASCII, and what has no width.
    '/v1/models%EF%BC%8Fadmin',
    '/v1/models%E2%88%95admin',
    '/v1/models%E2%81%84admin',
    '/v1/models%E2%A7%B8admin',
    '/v1/models/%EF%BC%8E%EF%BC%8E',
    '/v1/%E3%80%82%E3%80%82/admin',
    '/v1/models/%E2%80%A4%E2%80%A4',
    '/v1/models%E2%80%8B',
    '/v1/models%C2%AD',
    '/v1/models%EF%BB%BF',
    '/v1/models/%EF%AC%81les',
    '/v1/%E2%84%AAeys',
    '/v1/models/%EF%BC%85%32%66',
    '/v1/models/%EF%BC%9F',
    '/v1/models/e%CC%81',
    // Longer than anything that has a name.
    `/v1/models/${'x'.repeat(4097)}`,
    `/${'a/'.repeat(4096)}x`,
    // Dots, in all spellings.
    '/v1/../admin',
    '/v1/./models',
    '/..',
    '/.',
    '/v1/..',
    '/v1/models/../files',
    '/v1/%2e%2e/admin',
    '/v1/%2E%2e/admin',
    '/v1/.%2e/admin',
    '/v1/%2e./admin',
    '/v1/%2e/models',
    '/v1/..;/admin',
    '/v1/.;x=1/models',
    '/v1/..;a=b/admin',
    '/v1/%2e%2e;/admin',
    '/v1/%2e%2e%3b/admin',
    '/v1/..%3Bx/admin',
    '/v1/..%2fadmin',
    '/v1/..%5cadmin',
    '/model/arn:x%2F..%2F..%2Fadmin/converse',
    '/model/arn:x%2F.%2Fa/converse',
    '/model/arn:x%2F%2Fa/converse',
    '/model/arn:x%2F/converse',
    '/model/%2Farn:x%2Fa/converse',
    '/model/arn:x%2F..;%2Fa/converse',
    '/model/arn:x%2Fa%5Cb/converse',
    // Encoded twice.
    '/v1/%252e%252e/admin',
    '/v1%252fchat/completions',
    '/v1/models/a%25b',
    '/v1/models/%25',
    '/model/arn:x%2F%252e%252e/converse',
    // No percent-encoding at all.
    '/v1/%',
    '/v1/%2',
    '/v1/%zz',
    '/v1/%c0%af',
    '/v1/%c0%ae%c0%ae/admin',
    '/v1/%ff',
    '/v1/%e2%82',
    '/v1/%u002e',
    // Empty segments.
    '/v1/models/;x=../files',
    '/v1/;/models',
    '/v1/models/%3b',
    '/v1//chat/completions',
    '/v1/chat//completions',
    '/v1/models//',
    '/v1/%2f/models',
    // Characters that end or split something elsewhere.
    '/v1/models%3fx=1',
    '/v1/models%3Fx=1',
    '/v1/models%23x',
    '/v1/models#x',
    '/v1/models?a#b',
    'http://evil.example#x',
    '/v1/models%00',
    '/v1/models\u0000',
    '/v1/models%0d%0aHost:%20evil',
    '/v1/models\r\nHost: evil',
    '/v1/models%09',
    '/v1/models%20',
    '/v1/mod els',
    '/v1/models%7f',
    '/v1/models%C2%85',
    '/v1/models%E2%80%A8',
    '/v1/models?a b',
    '/v1/models?a\r\nb',
    '/v1/models?\u0000',
    // Beyond ASCII: another reader may fold it to a dot or a slash.
    '/v1/café',
    '/v1/\u2024\u2024/admin',
    '/v1/\uff0e\uff0e/admin',
    '/v1\u2215chat',
    '/v1/models?ä',
    // Never in a path.
    '/v1/<x>',
    '/v1/"x"',
    '/v1/{x}',
    '/v1/[x]',
    '/v1/x^y',
    '/v1/`x`',
    '/v1/x|y',
  ]
  for (const url of table) {
    test(JSON.stringify(url), () => {
      assert.throws(
        () => providerPath(url),
        (error) => error instanceof AiProxyError && error.code === 'endpoint_not_allowed' && error.status === 404,
      )
    })
  }

  test('are not quoted in the error', () => {
    assert.throws(
      () => providerPath('/v1/<script>'),
      (error: Error) => !error.message.includes('script'),
    )
  })
})

test('every path that passes is unambiguous: appended to an origin it stays there, and stays the same', () => {
  const parts = fc.constantFrom(
    ...['/', '//', '\\', '.', '..', '%2e', '%2E', '%2f', '%5C', '%25', '%', ';', ':', '@', '?', '#', '%3f', '%00', ' '],
    ...[
      'a',
      'v1',
      'http://',
      'https:',
      'evil.example',
      'arn:',
      'models',
      'é',
      '%C3%A9',
      '\t',
      '\n',
      '%3A',
      '%0a',
      '&',
      '=',
    ],
  )
  const url = fc.oneof(
    fc.array(parts, { maxLength: 12 }).map((all) => all.join('')),
    fc.array(parts, { maxLength: 12 }).map((all) => `/${all.join('')}`),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/${text}`),
    fc.webUrl({ withQueryParameters: true }),
  )
  let passed = 0
  fc.assert(
    fc.property(url, (given) => {
      let result: ReturnType<typeof providerPath>
      try {
        result = providerPath(given)
      } catch (error) {
        assert.ok(error instanceof AiProxyError)
        return
      }
      passed++
      const { path, decoded, query } = result
      const sent = new URL(ORIGIN + path + (query && `?${query}`))
      assert.equal(sent.origin, ORIGIN)
      assert.equal(sent.pathname, path)
      assert.equal(sent.hash, '')
      assert.equal(decodeURIComponent(path), decodeURIComponent(decoded))
      for (const segment of decoded.split('/')) assert.doesNotMatch(segment, /^\.{1,2}(?:;|$)/)
    }),
    { numRuns: 20_000 },
  )
  assert.ok(passed > 1000, `${passed} passed: the property has to see some`)
})
