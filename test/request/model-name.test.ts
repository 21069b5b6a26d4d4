import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { AiProxyError } from '../../lib/api/errors.js'
import { detectFormat, possibleModelInPath } from '../../lib/formats/index.js'
import { topLevelSpans } from '../../lib/json/top-level.js'
import type { RequestBody } from '../../lib/request/body.js'
import { type BodyBytes, join } from '../../lib/request/body-bytes.js'
import { withModel, withModelInBody, withModelInPath } from '../../lib/request/model-name.js'
import { providerPath } from '../../lib/request/provider-path.js'
import { piecesOf } from '../support/bytes.js'
import { spelledObject, written } from '../support/spelled-json.js'

const MIB = 1024 * 1024

/** The body that a client sends as this text, with or without the places of its fields. */
function bodyOf(text: string | Buffer, isSurveyed = true): RequestBody {
  const content = Buffer.from(text)
  const headers = { 'content-type': 'application/json', 'content-length': String(content.length) }
  const spans = isSurveyed ? topLevelSpans(content) : undefined
  return { content, headers, json: JSON.parse(content.toString().replace('\ufeff', '')), ...(spans && { spans }) }
}

const textOf = ({ content }: RequestBody) => join(content as BodyBytes).toString()

async function renamed(text: string, name = 'NEW'): Promise<string> {
  const [surveyed, unsurveyed] = await Promise.all([
    withModelInBody(bodyOf(text), name),
    withModelInBody(bodyOf(text, false), name),
  ])
  assert.equal(textOf(surveyed), textOf(unsurveyed))
  for (const body of [surveyed, unsurveyed]) {
    assert.equal(body.headers['content-length'], String(Buffer.byteLength(textOf(body))))
    assert.equal(body.headers['content-type'], 'application/json')
  }
  return textOf(surveyed)
}

const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AiProxyError)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}

describe('the model in a JSON body', () => {
  for (const [name, text, expected] of [
    ['as most are spelled', '{"model":"m","stream":true}', '{"model":"NEW","stream":true}'],
    ['with white space', '\n{ "model" : "m" \r\n, "a":1 }\t', '\n{ "model" : "NEW" \r\n, "a":1 }\t'],
    ['at the end', '{"a":[{"model":"m"}],"model":"m" }', '{"a":[{"model":"m"}],"model":"NEW" }'],
    ['after a byte order mark', '\ufeff{"model":"m"}', '\ufeff{"model":"NEW"}'],
    ['with an escaped name and value', String.raw`{"mod\u0065l":"\u006d"}`, String.raw`{"mod\u0065l":"NEW"}`],
    [
      'beside numbers that JavaScript cannot hold',
      '{"seed":1e400,"model":"m","n":1.0}',
      '{"seed":1e400,"model":"NEW","n":1.0}',
    ],
  ] as const) {
    test(name, async () => assert.equal(await renamed(text), expected))
  }

  test('is written as JSON', async () => {
    assert.equal(await renamed('{"model":"m"}', 'a"b\\größe'), String.raw`{"model":"a\"b\\größe"}`)
  })

  test('is up to date in the parsed body, which is a copy', async () => {
    const body = bodyOf('{"model":"m","__proto__":{"a":1},"n":2}')
    const { json } = await withModelInBody(body, 'NEW')
    assert.deepEqual(JSON.stringify(json), '{"model":"NEW","__proto__":{"a":1},"n":2}')
    assert.equal((body.json as { model: string }).model, 'm')
  })

  for (const [name, body] of [
    ['has that name already', bodyOf('{"model":"NEW"}')],
    ['names no model', bodyOf('{"a":1}')],
    ['names a model that is no text', bodyOf('{"model":{"id":"m"}}')],
    ['is a list', bodyOf('[{"model":"m"}]')],
    ['has the name further in', bodyOf('{"a":{"model":"m"}}')],
    ['is no JSON', { content: Buffer.from('model=m'), headers: {}, json: undefined }],
    ['is not there', { content: undefined, headers: {}, json: undefined }],
  ] as [string, RequestBody][]) {
    test(`stays the same object if the body ${name}`, async () => {
      assert.equal(await withModelInBody(body, 'NEW'), body)
    })
  }

  for (const isSurveyed of [true, false]) {
    test(`is rejected if it is there twice, ${isSurveyed ? 'and its place is known' : 'and its place is not known'}`, async () => {
      const body = bodyOf(String.raw`{"model":"m","mod\u0065l":"m2"}`, isSurveyed)
      await assert.rejects(withModelInBody(body, 'NEW'), refused('invalid_request', /"model" twice/))
    })
  }

  test('is changed in the text of a compressed body, which goes on as text', async () => {
    const text = Buffer.from('{"model":"m"}')
    const body: RequestBody = {
      content: gzipSync(text),
      headers: { 'content-encoding': 'gzip', 'content-length': '33' },
      json: { model: 'm' },
      decoded: text,
    }
    const { content, headers, decoded } = await withModelInBody(body, 'NEW')
    assert.deepEqual([String(content), headers, decoded], ['{"model":"NEW"}', { 'content-length': '15' }, undefined])
  })

  test('cannot be changed in a body that was not decompressed', async () => {
    const body = { content: gzipSync('{}'), headers: { 'content-encoding': 'gzip' }, json: { model: 'm' } }
    await assert.rejects(withModelInBody(body, 'NEW'), refused('unsupported_media_type', /cannot be decoded/))
  })

  test('in any object, spelled in any way: no other byte changes', async () => {
    const position = fc.nat(5)
    const field = fc.constantFrom('"model":', '\n"mod\\u0065l"\t:\r\n', ' "model" : ')
    const value = fc.constantFrom('"m"', '""', String.raw`"\"},{\\"`, '"größe 漢字 👋"', String.raw`"\ud800"`)
    await fc.assert(
      fc.asyncProperty(spelledObject, position, field, value, async (object, at, before, model) => {
        const others = object.members.filter(([name]) => JSON.parse(name.slice(0, name.lastIndexOf(':'))) !== 'model')
        const textWith = (value: string) => {
          const members = [...others]
          members.splice(Math.min(at, members.length), 0, [before, value, ' '])
          return written({ ...object, members })
        }
        assert.equal(await renamed(textWith(model)), Buffer.from(textWith('"NEW"')).toString())
      }),
      { numRuns: 500 },
    )
  })

  for (const isSurveyed of [true, false]) {
    test(`of 10 MB${isSurveyed ? '' : ', not surveyed'}: shares the memory of the client's bytes`, async () => {
      const long = JSON.stringify('größe "x" \\ '.repeat(MIB / 2))
      const [before, after] = [`{"messages":[${long}],"model":`, `,"tools":[${long.slice(0, 2)}"]}`]
      const text = Buffer.from(`${before}"m"${after}`)
      assert.ok(text.length > 8 * MIB)
      const body = bodyOf(text, isSurveyed)
      const { content, headers } = await withModelInBody(body, 'NEW')
      const expected = Buffer.from(`${before}"NEW"${after}`)
      assert.ok(Buffer.from(join(content as BodyBytes)).equals(expected))
      assert.equal(headers['content-length'], String(expected.length))
      const pieces = content as readonly Buffer[]
      assert.equal(pieces[0]!.buffer, (body.content as Buffer).buffer)
    })
  }

  test('of a long body in pieces', async () => {
    const text = Buffer.from(`{"a":"${'x'.repeat(2 * MIB)}","model":"m","b":1}`)
    for (const size of [1000, text.length - 10]) {
      const body = { ...bodyOf(text, false), content: piecesOf(text, size) }
      const { content } = await withModelInBody(body, 'NEW')
      assert.equal(join(content as BodyBytes).toString(), text.toString().replace('"m"', '"NEW"'))
    }
  })

  test('of a long body: is given up once the request is over', async () => {
    const body = bodyOf(`{"a":"${'x'.repeat(2 * MIB)}","model":"m"}`, false)
    await assert.rejects(
      withModelInBody(body, 'NEW', () => true),
      refused('aborted', /over/),
    )
  })
})

const ARN = 'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v2:0'

describe('the model in a path', () => {
  const vertex = '/v1/projects/p/locations/us-central1/publishers'
  for (const [url, name, expected] of [
    [
      '/v1beta/models/fast:streamGenerateContent?alt=sse',
      'gemini-2.5',
      '/v1beta/models/gemini-2.5:streamGenerateContent',
    ],
    ['/v1beta/models/fast%3AgenerateContent', 'gemini-2.5', '/v1beta/models/gemini-2.5%3AgenerateContent'],
    ['/v1beta/models/f%61st:countTokens', 'gemini-2.5', '/v1beta/models/gemini-2.5:countTokens'],
    ['/v1beta/tunedModels/my%20own:generateContent', 'their own', '/v1beta/tunedModels/their%20own:generateContent'],
    ['/v1beta/tunedModels/gr%C3%B6%C3%9Fe:generateContent', 'x', '/v1beta/tunedModels/x:generateContent'],
    ['/v1beta/models/fast:generateContent', 'größe', '/v1beta/models/gr%C3%B6%C3%9Fe:generateContent'],
    ['/v1beta/models/a:8b:generateContent', 'b:70b', '/v1beta/models/b:70b:generateContent'],
    ['/v1beta/models/fast:generateContent', 'org/model', '/v1beta/models/org%2Fmodel:generateContent'],
    [`${vertex}/google/models/fast:generateContent`, 'gemini', `${vertex}/google/models/gemini:generateContent`],
    [
      `${vertex}/anthropic/models/fast:rawPredict`,
      'claude@20250101',
      `${vertex}/anthropic/models/claude@20250101:rawPredict`,
    ],
    [
      '/v1/projects/p/locations/l/endpoints/1:generateContent',
      '2',
      '/v1/projects/p/locations/l/endpoints/2:generateContent',
    ],
    ['/model/fast/converse-stream', 'us.claude-v2:0', '/model/us.claude-v2:0/converse-stream'],
    ['/model/claude-v1%3A0/converse', 'us.claude-v2:0', '/model/us.claude-v2%3A0/converse'],
    ['/model/fast/invoke-with-response-stream', ARN, `/model/${ARN.replace('/', '%2F')}/invoke-with-response-stream`],
    [`/model/${encodeURIComponent(ARN)}/converse`, 'claude', '/model/claude/converse'],
    [`/model/${encodeURIComponent(ARN)}/converse`, `${ARN}x`, `/model/${encodeURIComponent(`${ARN}x`)}/converse`],
    ['/model/fast/some-new-verb', 'claude', '/model/claude/some-new-verb'],
    ['/openai/deployments/fast/chat/completions', 'gpt-4o', '/openai/deployments/gpt-4o/chat/completions'],
    ['/openai/deployments/my%20own/responses', 'gpt 4o', '/openai/deployments/gpt%204o/responses'],
    ['/engines/fast/completions', 'davinci', '/engines/davinci/completions'],
    ['/serving-endpoints/fast/invocations', 'dbrx', '/serving-endpoints/dbrx/invocations'],
    ['/openai/Deployments/fast/chat/completions/', 'gpt-4o', '/openai/Deployments/gpt-4o/chat/completions/'],
  ] as const) {
    test(`${url} → ${name}`, () => {
      const path = providerPath(url)
      for (const prefix of ['', '/some/prefix']) {
        const changed = withModelInPath(path, prefix, detectFormat(prefix + path.decoded), name)
        assert.deepEqual(changed, { ...providerPath(expected), query: path.query })
        assert.equal(possibleModelInPath(changed.decoded), name)
      }
    })
  }

  for (const url of [
    '/v1/chat/completions',
    '/v1/models/fast',
    '/',
    '/v1/messages',
    `${vertex}/anthropic/models/count-tokens:rawPredict`,
  ]) {
    test(`${url} names none, and stays as it is`, () => {
      const path = providerPath(url)
      assert.equal(withModelInPath(path, '', detectFormat(url), 'NEW'), path)
    })
  }

  test('stays as it is if the path has that name already, or the prefix names the model', () => {
    const path = providerPath('/model/a%3Ab/converse')
    assert.equal(withModelInPath(path, '', detectFormat(path.decoded), 'a:b'), path)
    const below = providerPath('/chat/completions')
    assert.equal(withModelInPath(below, '/openai/deployments/fast', detectFormat('/chat/completions'), 'NEW'), below)
  })

  for (const [url, name] of [
    ['/openai/deployments/fast/chat/completions', 'org/model'],
    ['/model/fast/converse', 'org/model'],
    ['/openai/deployments/fast/chat/completions', '..'],
    ['/model/fast/converse', '..;x'],
    ['/v1beta/models/fast:generateContent', 'a/../b'],
    ['/v1beta/models/fast:generateContent', 'a\\b'],
    ['/v1beta/models/fast:generateContent', 'a%2Fb'],
    ['/v1beta/models/fast:generateContent', 'ﬁ'],
    ['/openai/deployments/fast/chat/completions', 'a  b'],
    ['/model/fast/converse', 'x'.repeat(5000)],
    ['/model/fast/converse', ''],
  ] as const) {
    test(`${url} cannot have ${JSON.stringify(name.slice(0, 20))}`, () => {
      const path = providerPath(url)
      assert.throws(
        () => withModelInPath(path, '', detectFormat(url), name),
        refused('model_not_found', /cannot be named in the path/),
      )
    })
  }

  test('any name: what the provider decodes is the name, or the request is rejected; the rest stays', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.stringMatching(/^[\w.:/@ -]{1,20}$/))
    const around = fc.constantFrom(
      ['/v1beta/models/', ':generateContent'],
      ['/model/', '/converse'],
      ['/openai/deployments/', '/chat/completions'],
    )
    fc.assert(
      fc.property(around, name, ([before, after], name) => {
        const path = providerPath(`${before}fast${after}?a=1`)
        let changed = path
        try {
          changed = withModelInPath(path, '', detectFormat(path.decoded), name)
        } catch (error) {
          assert.equal((error as AiProxyError).code, 'model_not_found')
          return
        }
        assert.equal(possibleModelInPath(changed.decoded), name)
        assert.deepEqual(changed, { ...providerPath(changed.path), query: 'a=1' })
        assert.ok(changed.path.startsWith(before!) && changed.path.endsWith(after!))
        assert.equal(decodeURIComponent(changed.path.slice(before!.length, -after!.length)), name)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the model in path and body', () => {
  async function both(url: string, text: string, name = 'NEW') {
    const path = providerPath(url)
    const given = { path, body: bodyOf(text) }
    const changed = await withModel(given, name, { prefix: '', format: detectFormat(path.decoded) })
    return [changed.path.path, textOf(changed.body)]
  }

  for (const [name, url, text, expected] of [
    ['only the body names it', '/v1/chat/completions', '{"model":"m"}', ['/v1/chat/completions', '{"model":"NEW"}']],
    [
      'both name it',
      '/openai/deployments/m/chat/completions',
      '{"n":1, "model": "m" }',
      ['/openai/deployments/NEW/chat/completions', '{"n":1, "model": "NEW" }'],
    ],
    [
      'the body names another',
      '/openai/deployments/m/chat/completions',
      '{"model":"other"}',
      ['/openai/deployments/NEW/chat/completions', '{"model":"other"}'],
    ],
    ['the body has none', '/model/m/converse', '{"messages":[]}', ['/model/NEW/converse', '{"messages":[]}']],
    [
      'the body has the name of the resource',
      '/v1beta/models/m:embedContent',
      '{"model":"models/m","content":{}}',
      ['/v1beta/models/NEW:embedContent', '{"model":"models/NEW","content":{}}'],
    ],
    [
      'each request of a batch has it',
      '/v1beta/models/m:batchEmbedContents',
      '{"requests":[{"model":"models/m","content":{"model":"m"}}, {"model":"models/m"}]}',
      [
        '/v1beta/models/NEW:batchEmbedContents',
        '{"requests":[{"model":"models/NEW","content":{"model":"m"}}, {"model":"models/NEW"}]}',
      ],
    ],
    [
      'the request whose tokens are counted has it',
      '/v1beta/models/m:countTokens',
      '{"generateContentRequest":{"model":"models/m","contents":[{"model":"m"}]}}',
      [
        '/v1beta/models/NEW:countTokens',
        '{"generateContentRequest":{"model":"models/NEW","contents":[{"model":"m"}]}}',
      ],
    ],
  ] as const) {
    test(name, async () => assert.deepEqual(await both(url, text), expected))
  }

  test('stays the same object if the name does', async () => {
    for (const url of ['/v1/chat/completions', '/model/m/converse']) {
      const given = { path: providerPath(url), body: bodyOf('{"model":"m"}') }
      const { path, body } = await withModel(given, 'm', { prefix: '', format: detectFormat(url) })
      assert.equal(path, given.path)
      assert.equal(body, given.body)
    }
  })

  test('a body that streams through stays as it is', async () => {
    const body = { content: undefined, headers: {}, json: undefined }
    const given = { path: providerPath('/model/m/invoke'), body }
    const changed = await withModel(given, 'NEW', { prefix: '', format: detectFormat('/model/m/invoke') })
    assert.deepEqual([changed.path.path, changed.body], ['/model/NEW/invoke', body])
  })
})
