import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openaiEmbeddings } from '../../lib/formats/openai-embeddings.js'
import { type Case, readsAnswers, readsMessages, survivesAnything } from './checks.js'

const answers: Case[] = [
  [
    'an answer',
    '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.2]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}',
    { model: 'text-embedding-3-small', usage: { inputTokens: 8, totalTokens: 8 } },
  ],
  ['an error', '{"error":{"message":"No","type":"invalid_request_error"}}', { error: 'No' }],
]

describe('openai-embeddings: answers', () => readsAnswers(openaiEmbeddings, answers))
describe('openai-embeddings: an answer as a message', () => readsMessages(openaiEmbeddings, answers))
survivesAnything(openaiEmbeddings, answers)

test('openai-embeddings: nothing is generated, and usage is reported unasked', () => {
  assert.deepEqual(openaiEmbeddings.maxOutputTokensPath({}), [])
  assert.equal(openaiEmbeddings.usageRequest, undefined)
})
