import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FormatName, Usage } from '../../lib/formats/index.js'
import { uniformUsage } from '../../lib/metrics/uniform-usage.js'
import { recordOf } from './support/records.js'

const told = {
  inputTokens: 10,
  outputTokens: 20,
  cachedInputTokens: 3,
  cacheWriteTokens: 4,
  reasoningTokens: 5,
}

const expected: Record<FormatName, [inputTokens: number, outputTokens: number]> = {
  'openai-chat': [10, 20],
  'openai-completions': [10, 20],
  'openai-responses': [10, 20],
  'openai-embeddings': [10, 20],
  'openai-media': [10, 20],
  anthropic: [17, 20],
  gemini: [10, 25],
  'gemini-interactions': [10, 25],
  'bedrock-converse': [17, 20],
  'bedrock-invoke': [17, 20],
  'ollama-chat': [10, 20],
  'ollama-generate': [10, 20],
  cohere: [10, 20],
  tgi: [10, 20],
  'llama-cpp': [10, 20],
}

describe('uniform usage', () => {
  for (const [format, [inputTokens, outputTokens]] of Object.entries(expected) as [FormatName, [number, number]][]) {
    test(format, () => {
      const usage = uniformUsage(recordOf({ format, usage: { ...told, estimated: false } }))
      assert.deepEqual(usage, { ...told, inputTokens, outputTokens, estimated: false })
    })
  }

  test("with Bedrock's invoke, OpenAI's input includes the cache, as the total shows, and others' does not", () => {
    const inputOf = (usage: Usage) =>
      uniformUsage(recordOf({ format: 'bedrock-invoke', usage: { ...usage, estimated: false } }))?.inputTokens
    const gptOss = { inputTokens: 1000, outputTokens: 20, totalTokens: 1020, cachedInputTokens: 900 }
    assert.equal(inputOf(gptOss), 1000)
    // https://github.com/Portkey-AI/gateway/pull/1211 has such figures of Bedrock's own.
    const nova = { inputTokens: 368, outputTokens: 19, totalTokens: 10_923, cachedInputTokens: 10_536 }
    assert.equal(inputOf(nova), 10_904)
    const claude = { inputTokens: 368, outputTokens: 19, cachedInputTokens: 10_536 }
    assert.equal(inputOf(claude), 10_904)
  })

  test('an unknown input stays unknown if only its parts are known', () => {
    const usage = { cachedInputTokens: 3, outputTokens: 4, estimated: true }
    assert.deepEqual(uniformUsage(recordOf({ format: 'anthropic', usage })), usage)
  })

  test('Gemini: thoughts without an answer are output', () => {
    const thoughts = { inputTokens: 1, reasoningTokens: 7, estimated: false }
    assert.equal(uniformUsage(recordOf({ format: 'gemini', usage: thoughts }))?.outputTokens, 7)
  })

  test('reasoning that the total shows to be separate is output', () => {
    const xai = { inputTokens: 10, outputTokens: 20, reasoningTokens: 300, totalTokens: 330, estimated: false }
    assert.equal(uniformUsage(recordOf({ format: 'openai-chat', usage: xai }))?.outputTokens, 320)
    const within = { ...xai, reasoningTokens: 15, totalTokens: 30 }
    assert.equal(uniformUsage(recordOf({ format: 'openai-chat', usage: within }))?.outputTokens, 20)
  })

  test('undefined stays undefined', () => assert.equal(uniformUsage(recordOf({ usage: undefined })), undefined))
})
