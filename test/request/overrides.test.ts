import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RequestBody } from '../../lib/request/body.js'
import { edited, none } from './editing.js'

const modelOptions = { overrides: { model: 'cheap', maxOutputTokens: 50 } }

/** What goes out for a request, or nothing where it is refused. */
async function outcome(text: string, path: string): Promise<string> {
  try {
    return (await edited(text, { modelOptions, path })).text!
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, 'invalid_request')
    return 'refused'
  }
}

describe('overrides cannot be circumvented', () => {
  test('by a limit in another field', async () => {
    const { text } = await edited('{"model":"big","max_tokens":9,"max_completion_tokens":99999}', { modelOptions })
    assert.deepEqual(JSON.parse(text!), { model: 'cheap', max_tokens: 50 })
  })

  const limits = [
    ...['max_completion_tokens', 'max_output_tokens', 'max_new_tokens', 'max_tokens_to_sample', 'max_gen_len'],
    ...['max_length', 'n_predict', 'num_predict', 'maxTokens', 'maxOutputTokens', 'maxTokenCount'],
  ]
  const objects = [
    ...['inferenceConfig', 'textGenerationConfig', 'options', 'parameters', 'generationConfig', 'generation_config'],
    'extra_body',
  ]
  for (const object of ['the top level', ...objects]) {
    test(`by any name of a limit, at ${object}`, async () => {
      const fields = Object.fromEntries([...limits, 'max_tokens'].map((name) => [name, 99999]))
      const given = object === 'the top level' ? fields : { [object]: { ...fields, seed: 1 } }
      const { text } = await edited(JSON.stringify({ model: 'big', ...given }), { modelOptions })
      const kept = object === 'the top level' ? {} : { [object]: { seed: 1 } }
      assert.deepEqual(JSON.parse(text!), { model: 'cheap', ...kept, max_tokens: 50 })
    })
  }

  describe('by a field that the provider prefers, or that it does not know', () => {
    for (const [path, given, expected] of [
      ['/v1/chat/completions', { max_completion_tokens: 5 }, { max_tokens: 50 }],
      ['/v1/chat/completions', { n_predict: 99999 }, { max_tokens: 50 }],
      ['/v1/chat/completions', { num_predict: 99999, maxOutputTokens: 99999 }, { max_tokens: 50 }],
      ['/v1/chat/completions', { max_new_tokens: 99999, max_output_tokens: 99999 }, { max_tokens: 50 }],
      ['/v1/chat/completions', { options: { num_predict: 99999, seed: 1 } }, { options: { seed: 1 }, max_tokens: 50 }],
      [
        '/v1/chat/completions',
        { extra_body: { max_tokens: 99999, top_k: 1 } },
        { extra_body: { top_k: 1 }, max_tokens: 50 },
      ],
      ['/v1/completions', { max_completion_tokens: 99999 }, { max_tokens: 50 }],
      ['/v1/responses', { max_tokens: 99999 }, { max_output_tokens: 50 }],
      ['/v1/responses/', { max_output_tokens: 99999 }, { max_output_tokens: 50 }],
      ['/V1/Responses', { max_output_tokens: 99999 }, { max_output_tokens: 50 }],
      ['/api/chat/', { options: { num_predict: 99999 } }, { options: { num_predict: 50 } }],
      ['/v1/messages', { max_tokens_to_sample: 99999 }, { max_tokens: 50 }],
      ['/v2/chat', { max_completion_tokens: 99999 }, { max_tokens: 50 }],
      ['/api/chat', { num_predict: 99999, max_tokens: 99999 }, { options: { num_predict: 50 } }],
      [
        '/model/m/converse',
        { additionalModelRequestFields: { max_tokens: 99999, inferenceConfig: { maxTokens: 99999 }, top_k: 1 } },
        { additionalModelRequestFields: { inferenceConfig: {}, top_k: 1 }, inferenceConfig: { maxTokens: 50 } },
      ],
      ['/model/ai21.jamba-1-5-mini-v1:0/invoke', { maxTokens: 99999, max_gen_len: 99999 }, { max_tokens: 50 }],
      ['/model/meta.llama3-8b-instruct-v1:0/invoke', { max_tokens: 5 }, { max_gen_len: 50 }],
    ] as const) {
      test(`${path} ${JSON.stringify(given)}`, async () => {
        const { text } = await edited(JSON.stringify(given), {
          modelOptions: { overrides: { maxOutputTokens: 50 } },
          path,
        })
        assert.deepEqual(JSON.parse(text!), expected)
      })
    }

    test('by another model: the field depends on the model that is requested in the end', async () => {
      const overrides = { model: 'gpt-5', maxOutputTokens: 50 }
      const { text } = await edited('{"model":"llama","max_tokens":9}', { modelOptions: { overrides } })
      assert.deepEqual(JSON.parse(text!), { model: 'gpt-5', max_completion_tokens: 50 })
    })

    test('at OpenAI itself, which gets its new field only', async () => {
      const { text } = await edited('{"model":"gpt-4o","max_tokens":9}', {
        modelOptions,
        target: 'https://api.openai.com',
      })
      assert.deepEqual(JSON.parse(text!), { model: 'cheap', max_completion_tokens: 50 })
    })
  })

  for (const text of ['[{"model":"cheap","max_tokens":99999}]', '"x"', 'null', '5', 'true']) {
    test(`by a body that is not an object: ${text}`, async () => {
      await assert.rejects(edited(text, { modelOptions }), { code: 'invalid_request', status: 400 })
    })
  }

  const table: [name: string, path: string, text: string][] = [
    ['a duplicate field', '/v1/chat/completions', '{"model":"big","model":"cheap","max_tokens":50}'],
    ['a duplicate limit', '/v1/chat/completions', '{"model":"cheap","max_tokens":99999,"max_tokens":50}'],
    ['a field in another case, as servers in Go read it', '/v1/chat/completions', '{"model":"cheap","Model":"big"}'],
    ['a limit in another case', '/v1/chat/completions', '{"model":"cheap","max_tokens":50,"Max_Tokens":99999}'],
    [
      'another limit in another case',
      '/v1/chat/completions',
      '{"model":"cheap","max_completion_tokens":50,"Max_Tokens":99999}',
    ],
    [
      'the object that has the limit, in another case',
      '/api/chat',
      '{"model":"cheap","options":{"num_predict":1},"Options":{"num_predict":99999}}',
    ],
    [
      'a limit within an object, in another case',
      '/api/chat',
      '{"model":"cheap","options":{"num_predict":1,"Num_Predict":99999}}',
    ],
    [
      'a duplicate limit within an object',
      '/api/chat',
      '{"model":"cheap","options":{"num_predict":99999,"num_predict":50}}',
    ],
    ['a limit in letters that Go treats as equal', '/v1/messages', '{"model":"cheap","max_to\u212aen\u017f":99999}'],
    ['the same, escaped', '/v1/messages', String.raw`{"model":"cheap","max_tokens":50,"max_token\u017f":99999}`],
    [
      'a duplicate of another limit',
      '/v1beta/models/m:generateContent',
      '{"generation_config":{"max_output_tokens":50},"generationConfig":{"maxOutputTokens":99999,"maxOutputTokens":50}}',
    ],
  ]
  for (const [name, path, text] of table) {
    test(`by ${name}`, async () => assert.doesNotMatch(await outcome(text, path), /big|99999/))
  }

  describe('by the other spelling that Google accepts for each name', () => {
    const path = '/v1beta/models/m:generateContent'
    const overrides = { safetySettings: [], generationConfig: { topK: 1 }, maxOutputTokens: 50 }
    for (const text of [
      '{"safety_settings":[{}]}',
      '{"generationConfig":{},"generation_config":{"temperature":2}}',
      '{"generationConfig":{"top_k":9}}',
    ]) {
      test(text, () => assert.rejects(edited(text, { modelOptions: { overrides }, path }), { code: 'invalid_request' }))
    }

    test('but a single spelling is accepted', async () => {
      const { text } = await edited('{"generation_config":{"top_k":9}}', {
        modelOptions: { overrides: { maxOutputTokens: 50 } },
        path,
      })
      assert.deepEqual(JSON.parse(text!), { generation_config: { top_k: 9, maxOutputTokens: 50 } })
    })

    test('which other providers do not have', async () => {
      const { text } = await edited('{"maxtokens":9}', { modelOptions: { overrides: { max_tokens: 5 } } })
      assert.deepEqual(JSON.parse(text!), { maxtokens: 9, max_tokens: 5 })
    })
  })

  test('by a body that is declared as an upload, which some providers ignore', async () => {
    const content = {} as unknown as NonNullable<RequestBody['content']>
    const upload = { ...none, content, headers: { 'content-type': 'multipart/form-data; boundary=x' } }
    await assert.rejects(edited(upload, { modelOptions }), { outcome: 'rejected' })
  })
})
