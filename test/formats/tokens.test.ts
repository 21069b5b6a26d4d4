import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Counting,
  type FormatName,
  getFormat,
  type Tokens,
  tokensOf,
  type Usage,
} from '../../lib/formats/index.js'

type Parts = [uncachedInput: number, cachedInput: number, cacheWrite: number, visibleOutput: number, reasoning: number]

function partsOf({ uncachedInput, cachedInput, cacheWrite, visibleOutput, reasoning }: Tokens): Parts {
  return [uncachedInput, cachedInput, cacheWrite, visibleOutput, reasoning]
}

/** What each provider tells of the same call, in its own words: 100 + 30 + 20 tokens in, 40 + 60 out. */
const tellings: readonly [who: string, format: FormatName, answer: Record<string, unknown>, parts: Parts][] = [
  [
    'OpenAI',
    'openai-chat',
    {
      usage: {
        prompt_tokens: 130,
        completion_tokens: 100,
        total_tokens: 230,
        prompt_tokens_details: { cached_tokens: 30 },
        completion_tokens_details: { reasoning_tokens: 60 },
      },
    },
    [100, 30, 0, 40, 60],
  ],
  [
    'xAI, with separate reasoning',
    'openai-chat',
    {
      usage: {
        prompt_tokens: 130,
        completion_tokens: 40,
        total_tokens: 230,
        prompt_tokens_details: { cached_tokens: 30 },
        completion_tokens_details: { reasoning_tokens: 60 },
      },
    },
    [100, 30, 0, 40, 60],
  ],
  [
    "Google in OpenAI's protocol, which does not tell its thoughts",
    'openai-chat',
    { usage: { prompt_tokens: 100, completion_tokens: 40, total_tokens: 200 } },
    [100, 0, 0, 40, 60],
  ],
  [
    'Perplexity, whose reasoning is more than its output',
    'openai-chat',
    { usage: { prompt_tokens: 100, completion_tokens: 40, total_tokens: 140, reasoning_tokens: 60 } },
    [100, 0, 0, 40, 60],
  ],
  [
    'DeepSeek',
    'openai-chat',
    {
      usage: { prompt_tokens: 130, completion_tokens: 40, prompt_cache_hit_tokens: 30, prompt_cache_miss_tokens: 100 },
    },
    [100, 30, 0, 40, 0],
  ],
  [
    'Mistral',
    'openai-chat',
    { usage: { prompt_tokens: 130, completion_tokens: 40, total_tokens: 170, num_cached_tokens: 30 } },
    [100, 30, 0, 40, 0],
  ],
  [
    'Mistral, as its schema has it',
    'openai-chat',
    { usage: { prompt_tokens: 130, completion_tokens: 40, prompt_token_details: { cached_tokens: 30 } } },
    [100, 30, 0, 40, 0],
  ],
  [
    'Moonshot, in the choice',
    'openai-chat',
    { choices: [{ usage: { prompt_tokens: 130, completion_tokens: 40, cached_tokens: 30 } }] },
    [100, 30, 0, 40, 0],
  ],
  [
    'Alibaba, with an explicit cache',
    'openai-chat',
    {
      usage: {
        prompt_tokens: 150,
        completion_tokens: 40,
        prompt_tokens_details: { cached_tokens: 30, cache_creation_input_tokens: 20 },
      },
    },
    [100, 30, 20, 40, 0],
  ],
  [
    "a chat told in the words of OpenAI's newer endpoints",
    'openai-chat',
    { usage: { input_tokens: 130, output_tokens: 40, input_tokens_details: { cached_tokens: 30 } } },
    [100, 30, 0, 40, 0],
  ],
  [
    'a server with a total and the input only',
    'openai-chat',
    { usage: { prompt_tokens: 100, total_tokens: 140 } },
    [100, 0, 0, 40, 0],
  ],
  [
    'a server with a total and the output only',
    'openai-chat',
    { usage: { completion_tokens: 40, total_tokens: 140 } },
    [100, 0, 0, 40, 0],
  ],
  ['embeddings', 'openai-embeddings', { usage: { prompt_tokens: 100, total_tokens: 100 } }, [100, 0, 0, 0, 0]],
  ['a server of embeddings with a total only', 'openai-embeddings', { usage: { total_tokens: 9 } }, [9, 0, 0, 0, 0]],
  [
    'pictures',
    'openai-media',
    { usage: { input_tokens: 100, output_tokens: 40, total_tokens: 140, input_tokens_details: { text_tokens: 100 } } },
    [100, 0, 0, 40, 0],
  ],
  [
    'responses',
    'openai-responses',
    {
      usage: {
        input_tokens: 130,
        input_tokens_details: { cached_tokens: 30 },
        output_tokens: 100,
        output_tokens_details: { reasoning_tokens: 60 },
        total_tokens: 230,
      },
    },
    [100, 30, 0, 40, 60],
  ],
  [
    'Anthropic',
    'anthropic',
    {
      usage: {
        input_tokens: 100,
        cache_read_input_tokens: 30,
        cache_creation_input_tokens: 20,
        output_tokens: 100,
        output_tokens_details: { thinking_tokens: 60 },
      },
    },
    [100, 30, 20, 40, 60],
  ],
  [
    'Gemini, with a tool',
    'gemini',
    {
      usageMetadata: {
        promptTokenCount: 50,
        toolUsePromptTokenCount: 80,
        cachedContentTokenCount: 30,
        candidatesTokenCount: 40,
        thoughtsTokenCount: 60,
        totalTokenCount: 230,
      },
    },
    [100, 30, 0, 40, 60],
  ],
  [
    "Google's interactions",
    'gemini-interactions',
    {
      usage: {
        total_input_tokens: 50,
        total_tool_use_tokens: 80,
        total_cached_tokens: 30,
        total_output_tokens: 40,
        total_thought_tokens: 60,
        total_tokens: 230,
      },
    },
    [100, 30, 0, 40, 60],
  ],
  [
    'Bedrock',
    'bedrock-converse',
    {
      usage: {
        inputTokens: 100,
        cacheReadInputTokens: 30,
        cacheWriteInputTokens: 20,
        outputTokens: 40,
        totalTokens: 190,
      },
    },
    [100, 30, 20, 40, 0],
  ],
  [
    "Nova behind Bedrock's invoke",
    'bedrock-invoke',
    {
      output: { message: { content: [] } },
      usage: {
        inputTokens: 100,
        cacheReadInputTokenCount: 30,
        cacheWriteInputTokenCount: 20,
        outputTokens: 40,
        totalTokens: 190,
      },
    },
    [100, 30, 20, 40, 0],
  ],
  [
    "OpenAI behind Bedrock's invoke",
    'bedrock-invoke',
    {
      choices: [],
      usage: {
        prompt_tokens: 130,
        prompt_tokens_details: { cached_tokens: 30 },
        completion_tokens: 40,
        total_tokens: 170,
      },
    },
    [100, 30, 0, 40, 0],
  ],
  ['Ollama', 'ollama-chat', { prompt_eval_count: 100, eval_count: 40 }, [100, 0, 0, 40, 0]],
  ['Ollama, embedding', 'ollama-chat', { embeddings: [[0.1]], prompt_eval_count: 100 }, [100, 0, 0, 0, 0]],
  [
    'Cohere',
    'cohere',
    { usage: { tokens: { input_tokens: 130, output_tokens: 40 }, cached_tokens: 30 } },
    [100, 30, 0, 40, 0],
  ],
  ['Cohere, embedding', 'cohere', { id: 'e1', meta: { billed_units: { input_tokens: 100 } } }, [100, 0, 0, 0, 0]],
  [
    'TGI',
    'tgi',
    { generated_text: 'Hi', details: { generated_tokens: 40, finish_reason: 'length', prefill: [{ id: 1 }] } },
    [1, 0, 0, 40, 0],
  ],
  [
    'llama.cpp',
    'llama-cpp',
    {
      content: 'Hi',
      stop: true,
      tokens_evaluated: 130,
      tokens_predicted: 40,
      tokens_cached: 169,
      timings: { cache_n: 30 },
    },
    [100, 30, 0, 40, 0],
  ],
]

describe('token counts have one meaning', () => {
  for (const [who, format, answer, parts] of tellings) {
    test(`as ${who} reports them`, () => {
      const { readAnswer, counting } = getFormat(format)
      const { usage } = readAnswer(answer)
      const tokens = tokensOf(usage!, counting)
      assert.deepEqual(partsOf(tokens), parts)
      assert.equal(
        tokens.total,
        parts.reduce((sum, part) => sum + part),
      )
    })
  }

  test('a cache that the total shows to be separate is also separate without a total', () => {
    const counting: Counting = { cache: 'by total', reasoning: 'inside' }
    const usage = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4 }
    assert.deepEqual(partsOf(tokensOf(usage, counting)), [10, 4, 0, 5, 0])
    assert.deepEqual(partsOf(tokensOf({ ...usage, totalTokens: 19 }, counting)), [10, 4, 0, 5, 0])
    assert.deepEqual(partsOf(tokensOf({ ...usage, totalTokens: 15 }, counting)), [6, 4, 0, 5, 0])
  })

  test('for any figures, no part is below 0, and their sum is the total', () => {
    const count = fc.option(fc.nat(), { nil: undefined })
    const usage = fc.record({
      inputTokens: count,
      outputTokens: count,
      totalTokens: count,
      cachedInputTokens: count,
      cacheWriteTokens: count,
      reasoningTokens: count,
    }) as fc.Arbitrary<Usage>
    const place = fc.constantFrom('inside' as const, 'outside' as const, 'by total' as const)
    const counting: fc.Arbitrary<Counting> = fc.record({ cache: place, reasoning: place })
    fc.assert(
      fc.property(usage, counting, (told, means) => {
        const tokens = tokensOf(told, means)
        const parts = partsOf(tokens)
        for (const part of parts) assert.ok(part >= 0)
        assert.equal(
          tokens.total,
          parts.reduce((sum, part) => sum + part),
        )
        assert.ok(tokens.total >= (told.totalTokens ?? 0))
        assert.deepEqual(
          [tokens.cachedInput, tokens.cacheWrite],
          [told.cachedInputTokens ?? 0, told.cacheWriteTokens ?? 0],
        )
      }),
      { numRuns: 2000 },
    )
  })
})
