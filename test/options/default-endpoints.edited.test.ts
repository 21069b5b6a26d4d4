import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canGenerate, runsNoModel } from '../../lib/formats/index.js'
import { defaultEndpoints, uploadEndpoints } from '../../lib/options/default-endpoints.js'
import { edited } from '../request/editing.js'

/** A path that each endpoint stands for, by its method. */
const requests = defaultEndpoints
  .filter((rule) => !uploadEndpoints.includes(rule) && !rule.startsWith('GET'))
  .map((rule) => {
    const [method = '', path = ''] = rule.split(' ')
    return {
      method,
      path: path
        .replace(/^\*\*\//, '/v1/')
        .replace(/^(?!\/)/, '/')
        .replaceAll('*', 'named'),
    }
  })

/** Where the path names the model, another in the body is none. */
const namesModel = (path: string) =>
  /\/(models|tunedModels|endpoints)\/named:|\/(model|deployments|serving-endpoints)\/named\//.test(path)

describe('the allow-list of models applies to every default endpoint', () => {
  for (const { method, path } of requests) {
    if (runsNoModel(method, path)) {
      test(`${method} ${path} runs no model, and needs none`, async () => {
        await edited('{}', { method, path, models: ['good'] })
        await assert.rejects(edited('{"model":"bad"}', { method, path, models: ['good'] }), {
          code: 'model_not_allowed',
        })
      })
      continue
    }
    test(`${method} ${path}`, async () => {
      const models = namesModel(path) ? ['good'] : ['good', 'named']
      for (const body of namesModel(path)
        ? ['{"model":"good"}', '{}']
        : ['{"model":"bad"}', '{}', '{"model":"good","models":["bad"]}']) {
        await assert.rejects(edited(body, { method, path, models }), { code: 'model_not_allowed' }, body)
      }
      await edited('{"model":"good"}', { method, path, models: ['good', ...(namesModel(path) ? ['named'] : [])] })
    })
  }
})

describe('maxOutputTokens applies to every default endpoint that has a token limit', () => {
  const everyName = {
    ...{
      max_tokens: 9999,
      max_completion_tokens: 9999,
      max_output_tokens: 9999,
      max_new_tokens: 9999,
      n_predict: 9999,
    },
    ...{
      parameters: { max_new_tokens: 9999 },
      options: { num_predict: 9999 },
      generationConfig: { maxOutputTokens: 9999 },
    },
    inferenceConfig: { maxTokens: 9999 },
  }
  const modelOptions = { overrides: { maxOutputTokens: 5 } }
  for (const { path } of requests.filter(({ method, path }) => method === 'POST' && canGenerate(path))) {
    test(path, async () => {
      const { body } = await edited(JSON.stringify({ model: 'm', ...everyName }), { path, modelOptions })
      const isMedia = /\/(generations|speech)$/.test(path)
      const text = String(body.content)
      assert.equal(/9999/.test(text), isMedia, text)
      assert.equal(/:5[,}]/.test(text), !isMedia, text)
    })
  }
  for (const path of ['/v1/ocr', '/v1/responses/compact', '/tokenize', '/v1/responses/r1/cancel']) {
    test(`no limit is written if the endpoint has none: ${path}`, async () => {
      const { body } = await edited('{"model":"m"}', { path, modelOptions })
      assert.equal(String(body.content), '{"model":"m"}')
    })
  }
})
