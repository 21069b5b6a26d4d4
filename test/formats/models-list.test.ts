import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { modelsAnswer } from '../../lib/formats/index.js'

const NAMES = ['fast', 'openai/gpt-4o', 'größe']

const ANTHROPIC = { 'anthropic-version': '2023-06-01' }
const GOOGLE = { 'x-goog-api-key': 'k' }

/** The protocol that answers a request for the list. */
function protocolOf(path: string, headers: Record<string, string> = {}, query = ''): string | undefined {
  const body = modelsAnswer('GET', path, headers, NAMES, query)?.body as Record<string, unknown> | undefined
  if (!body) return undefined
  if ('object' in body) return 'openai'
  if ('has_more' in body) return 'anthropic'
  const [first] = body.models as Record<string, unknown>[]
  return 'supportedGenerationMethods' in first! ? 'gemini' : 'ollama'
}

describe('the protocol of a request for the models', () => {
  for (const [path, protocol, headers, query] of [
    ['/models', 'openai'],
    ['/v1/models', 'openai'],
    ['/v1/models/', 'openai'],
    ['/openai/v1/models', 'openai'],
    ['/openai/models', 'openai'],
    ['/api/v1/models', 'openai'],
    ['/v1beta/openai/models', 'openai'],
    ['/v1beta/openai/models', 'openai', GOOGLE],
    ['/v1/models', 'anthropic', ANTHROPIC],
    ['/v1/models', 'anthropic', { 'x-api-key': 'k' }],
    ['/anthropic/v1/models', 'anthropic'],
    ['/v1beta/models', 'gemini'],
    ['/v1beta/models', 'gemini', ANTHROPIC],
    ['/v1alpha/models', 'gemini'],
    ['/v1beta1/models', 'gemini'],
    ['/v1/models', 'gemini', GOOGLE],
    ['/v1/models', 'gemini', {}, '?key=k'],
    ['/v1/models', 'openai', {}, 'keys=k'],
    ['/api/tags', 'ollama'],
  ] as [string, string, Record<string, string>?, string?][]) {
    test([path, ...Object.keys(headers ?? {}), query ?? ''].join(' '), () => {
      assert.equal(protocolOf(path, headers, query), protocol)
    })
  }

  for (const path of [
    ...['/', '/v1/chat/completions', '/v1/modelsx', '/v1/model', '/v1/fine_tuning/models', '/v1/files/models'],
    ...['/v1beta/models/fast/operations/1', '/v1beta/models/fast/operations', '/v1/models/openai/gpt-4o/endpoints'],
    ...['/v1beta/tunedModels', '/v1/projects/p/locations/l/publishers/google/models', '/api/tags/x', '/v1/tags'],
  ]) {
    test(`${path} is no such request`, () => {
      assert.equal(modelsAnswer('GET', path, {}, NAMES), undefined)
      assert.equal(modelsAnswer('GET', path, { ...ANTHROPIC, ...GOOGLE }, NAMES), undefined)
    })
  }

  test('neither is another method, but HEAD is', () => {
    for (const method of ['POST', 'DELETE', 'PUT', 'OPTIONS']) {
      assert.equal(modelsAnswer(method, '/v1/models', {}, NAMES), undefined)
    }
    assert.deepEqual(modelsAnswer('HEAD', '/v1/models', {}, NAMES), modelsAnswer('GET', '/v1/models', {}, NAMES))
  })
})

describe('the list of models', () => {
  test("in OpenAI's protocol", () => {
    assert.deepEqual(modelsAnswer('GET', '/v1/models', {}, ['a', 'b', 'a']), {
      status: 200,
      body: {
        object: 'list',
        data: ['a', 'b'].map((id) => ({ id, object: 'model', created: 0, owned_by: 'system' })),
      },
    })
  })

  test("in Anthropic's protocol", () => {
    assert.deepEqual(modelsAnswer('GET', '/v1/models', ANTHROPIC, ['a']), {
      status: 200,
      body: {
        data: [{ type: 'model', id: 'a', display_name: 'a', created_at: '1970-01-01T00:00:00Z' }],
        has_more: false,
        first_id: 'a',
        last_id: 'a',
      },
    })
    const { body } = modelsAnswer('GET', '/v1/models', ANTHROPIC, [])!
    assert.deepEqual(body, { data: [], has_more: false, first_id: null, last_id: null })
  })

  test("in Google's protocol", () => {
    const { body } = modelsAnswer('GET', '/v1beta/models', {}, ['a'])!
    const methods = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent', 'batchEmbedContents']
    assert.deepEqual(body, {
      models: [{ name: 'models/a', displayName: 'a', supportedGenerationMethods: methods }],
    })
  })

  test("in Ollama's protocol", () => {
    const { body } = modelsAnswer('GET', '/api/tags', {}, ['a'])!
    const [model] = (body as { models: Record<string, unknown>[] }).models
    assert.deepEqual([model!.name, model!.model, typeof model!.modified_at], ['a', 'a', 'string'])
  })
})

describe("Anthropic's pages", () => {
  const names = Array.from({ length: 45 }, (_, at) => `m${at}`)
  const page = (query: string) => {
    const { body } = modelsAnswer('GET', '/v1/models', ANTHROPIC, names, query)!
    const { data, has_more, first_id, last_id } = body as Record<string, unknown> & { data: { id: string }[] }
    assert.deepEqual([first_id, last_id], [data[0]?.id ?? null, data.at(-1)?.id ?? null])
    return [first_id, last_id, has_more, data.length]
  }

  for (const [query, expected] of [
    ['', ['m0', 'm19', true, 20]],
    ['limit=45', ['m0', 'm44', false, 45]],
    ['limit=44', ['m0', 'm43', true, 44]],
    ['?limit=10&after_id=m9', ['m10', 'm19', true, 10]],
    ['limit=10&after_id=m34', ['m35', 'm44', false, 10]],
    ['after_id=m44', [null, null, false, 0]],
    ['after_id=unknown', [null, null, false, 0]],
    ['limit=10&before_id=m20', ['m10', 'm19', true, 10]],
    ['limit=10&before_id=m5', ['m0', 'm4', false, 5]],
    ['before_id=m0', [null, null, false, 0]],
    ['limit=0', ['m0', 'm19', true, 20]],
    ['limit=x', ['m0', 'm19', true, 20]],
    ['limit=99999', ['m0', 'm44', false, 45]],
  ] as const) {
    test(query || 'the first', () => assert.deepEqual(page(query), expected))
  }

  test('read one after the other, have each model once', () => {
    const seen: string[] = []
    for (let query = 'limit=7'; ; query = `limit=7&after_id=${seen.at(-1)}`) {
      const { body } = modelsAnswer('GET', '/v1/models', ANTHROPIC, names, query)!
      const { data, has_more } = body as { data: { id: string }[]; has_more: boolean }
      seen.push(...data.map(({ id }) => id))
      if (!has_more) break
    }
    assert.deepEqual(seen, names)
  })
})

describe('one model', () => {
  for (const [path, id] of [
    ['/v1/models/fast', 'fast'],
    ['/v1/models/fast/', 'fast'],
    ['/models/openai%2Fgpt-4o', 'openai/gpt-4o'],
    ['/v1/models/openai/gpt-4o', 'openai/gpt-4o'],
    ['/v1/models/größe', 'größe'],
  ] as const) {
    test(path, () => {
      const { status, body } = modelsAnswer('GET', path, {}, NAMES)!
      assert.deepEqual([status, (body as { id: string }).id], [200, id])
    })
  }

  test("in Anthropic's and in Google's protocol", () => {
    const claude = modelsAnswer('GET', '/v1/models/fast', ANTHROPIC, NAMES)!
    assert.deepEqual([claude.status, (claude.body as { id: string }).id], [200, 'fast'])
    const google = modelsAnswer('GET', '/v1beta/models/fast', {}, NAMES)!
    assert.deepEqual([google.status, (google.body as { name: string }).name], [200, 'models/fast'])
  })

  const message = `The model x does not exist here. There are: ${NAMES.join(', ')}`

  test('that does not exist is an error as SDKs expect it', () => {
    assert.deepEqual(modelsAnswer('GET', '/v1/models/x', {}, NAMES), {
      status: 404,
      body: { error: { message, type: 'invalid_request_error', code: 'model_not_found', param: null } },
    })
    assert.deepEqual(modelsAnswer('GET', '/v1/models/x', ANTHROPIC, NAMES), {
      status: 404,
      body: { type: 'error', error: { type: 'not_found_error', message, code: 'model_not_found' } },
    })
    const { status, body } = modelsAnswer('GET', '/v1beta/models/x', {}, NAMES)!
    const { error } = body as { error: Record<string, unknown> }
    assert.deepEqual([status, error.code, error.status, error.message], [404, 404, 'NOT_FOUND', message])
  })

  for (const id of ['constructor', '__proto__', 'Fast']) {
    test(`${id} does not exist`, () => assert.equal(modelsAnswer('GET', `/v1/models/${id}`, {}, NAMES)?.status, 404))
  }
})
