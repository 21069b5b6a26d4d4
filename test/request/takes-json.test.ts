import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { getFormat } from '../../lib/formats/index.js'
import { takesJson } from '../../lib/request/takes-json.js'
import { edited, none } from './editing.js'

const jsonPaths = [
  '/v1/chat/completions',
  '/v1/chat/completions/',
  '/V1/Chat/Completions',
  '/v1/completions',
  '/v1/fim/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/api/chat',
  '/api/generate',
  '/v2/chat',
  '/v1beta/models/m:generateContent',
  '/v1beta/models/m:newVerb',
  '/v1beta/tunedModels/m:generateContent',
  '/completion',
  '/infill',
  '/generate_stream',
  '/score',
  '/rerank',
  '/v1/moderations',
  '/v1/ocr',
  '/api/show',
  '/v1beta/interactions',
  '/serving-endpoints/mine/invocations',
  '/model/m/converse',
  '/model/m/async-invoke',
  '/openai/deployments/mine/chat/completions',
  '/openai/deployments/mine/audio/speech',
]
const uploadPaths = [
  '/v1/audio/transcriptions',
  '/v1/audio/translations',
  '/openai/deployments/mine/audio/transcriptions',
  '/v1/images/edits',
  '/v1/files',
  '/v1/uploads/u/parts',
]
const unknownPaths = ['/v1/speech-to-text', '/upload/v1beta/files', '/api/blobs/sha256:1']

describe('takesJson is true for', () => {
  for (const path of jsonPaths) test(path, () => assert.equal(takesJson(undefined, path), true))
  for (const path of [...uploadPaths, ...unknownPaths]) {
    test(`but not for ${path}`, () => assert.equal(takesJson(undefined, path), false))
  }

  test('any path if the app sets the format, except uploads', () => {
    const format = getFormat('openai-chat')
    for (const path of ['/mine', ...jsonPaths]) assert.equal(takesJson(format, path), true, path)
    for (const path of uploadPaths) assert.equal(takesJson(format, path), false, path)
  })
})

describe('a body that was not read', () => {
  const content = {} as unknown as NonNullable<typeof none.content>
  const upload = (type: string) => ({ ...none, content, headers: { 'content-type': type } })
  const form = upload('multipart/form-data; boundary=x')
  const options: [string, Partial<AiProxyOptions>][] = [
    ['modelOptions', { modelOptions: { overrides: { model: 'm' } } }],
    ['onRequest', { onRequest: () => assert.fail('there is nothing for it to see') }],
  ]

  for (const [name, given] of options) {
    for (const path of ['/v1/chat/completions', '/v1/embeddings', '/api/chat']) {
      test(`is rejected at an endpoint for JSON: ${name}, ${path}`, async () => {
        await assert.rejects(edited(form, { ...given, path }), {
          code: 'invalid_request',
          status: 400,
          message: 'The request body is not declared as JSON, which this endpoint takes',
        })
      })
    }
  }

  test('is rejected for its missing model first', async () => {
    await assert.rejects(edited(form, { models: ['m'] }), { code: 'model_not_allowed' })
    const path = '/v1beta/models/m:generateContent'
    await assert.rejects(edited(form, { models: ['m'], path }), { code: 'invalid_request' })
  })

  test('is rejected even if a platform has kept its bytes', async () => {
    const kept = { ...form, content: Buffer.from('{"model":"big"}') }
    await assert.rejects(edited(kept, { modelOptions: { overrides: { model: 'm' } } }), { code: 'invalid_request' })
  })

  for (const path of [...uploadPaths, ...unknownPaths]) {
    test(`passes at other endpoints: ${path}`, async () => {
      const given = { modelOptions: { overrides: { model: 'm' } }, onRequest: () => undefined, path }
      for (const body of [form, upload('application/octet-stream'), upload('audio/mpeg')]) {
        assert.equal((await edited(body, given)).body, body)
      }
    })
  }

  test('passes if nothing is checked', async () => assert.equal((await edited(form)).body, form))
})
