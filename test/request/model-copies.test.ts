import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { edited } from './editing.js'

describe('a model that a part of the body names', () => {
  const BATCH = '/v1beta/models/m:batchEmbedContents'
  const COUNT = '/v1beta/models/m:countTokens'
  const long = 'a'.repeat(300_000)

  for (const [path, text] of [
    [BATCH, '{"requests":[{"model":"models/m"},{"model":"models/x"}]}'],
    [BATCH, '{"requests":[{"model":"models/x","model":"models/m"}]}'],
    [BATCH, '{"requests":[{"mod\\u0065l":"models/x"}]}'],
    [BATCH, '{"requests":{"model":"models/x"}}'],
    [BATCH, `{"requests":[{"model":"models/m","content":"${long}"},{"model":"models/x"}]}`],
    [COUNT, '{"generateContentRequest":{"model":"models/x"}}'],
    [COUNT, '{"generate_content_request":{"model":"models/x"}}'],
  ] as const) {
    const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text
    for (const options of [{ models: [/^/] }, { policies: [{ name: 'x_p', admit: () => undefined }] }]) {
      test(`must be that of the path, with ${Object.keys(options).join()}: ${shown}`, async () => {
        await assert.rejects(edited(text, { ...options, path }), {
          code: 'invalid_request',
          message: 'The request body names the model "models/x", and its path another one',
        })
      })
    }
  }

  for (const [path, text] of [
    [BATCH, '{"requests":[{"model":"models/m"},{"model":"m"},{"model":""},{}]}'],
    [BATCH, '{"requests":[{"model":"models/m","content":{"model":"x"}}]}'],
    ['/v1beta/models/m:generateContent', '{"requests":[],"contents":[{"model":"x"}]}'],
    ['/openai/deployments/m/chat/completions', '{"requests":[{"model":"x"}]}'],
  ] as const) {
    test(`may be that of the path: ${path} ${text}`, async () =>
      assert.equal((await edited(text, { models: ['m'], path })).text, text))
  }

  test('is left to the provider if nothing reads the body', async () => {
    const text = '{"requests":[{"model":"models/x"}]}'
    assert.equal((await edited(text, { path: BATCH })).text, text)
  })
})
