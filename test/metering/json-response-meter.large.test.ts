import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { JsonResponseMeter } from '../../lib/metering/json-response-meter.js'
import { piecesOf } from '../support/bytes.js'

const KIB = 1024

type Answer = (text: string) => Record<string, unknown>

/** Whole answers as the providers send them, each with a text of any length in it. */
const answers: readonly (readonly [what: string, format: FormatName, answer: Answer])[] = [
  [
    'a chat',
    'openai-chat',
    (content) => ({
      id: 'c1',
      object: 'chat.completion',
      model: 'm-1',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
    }),
  ],
  [
    'usage in the choice that ends (Moonshot)',
    'openai-chat',
    (content) => ({
      id: 'c1',
      model: 'm-1',
      choices: [{ message: { content }, finish_reason: 'length', usage: { prompt_tokens: 9, completion_tokens: 5 } }],
    }),
  ],
  [
    'a legacy completion',
    'openai-completions',
    (text) => ({ id: 'c1', model: 'm-1', choices: [{ text, finish_reason: 'stop' }], usage: { completion_tokens: 5 } }),
  ],
  [
    'a response',
    'openai-responses',
    (text) => ({
      id: 'r1',
      model: 'm-1',
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ type: 'message', content: [{ type: 'output_text', text }] }],
      usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14 },
      tool_usage: { image_gen: { input_tokens: 3, output_tokens: 400 } },
    }),
  ],
  [
    'embeddings',
    'openai-embeddings',
    (embedding) => ({ id: 'e1', model: 'm-1', data: [{ embedding }], usage: { prompt_tokens: 9, total_tokens: 9 } }),
  ],
  [
    'a picture',
    'openai-media',
    (b64_json) => ({
      created: 1,
      data: [{ b64_json }],
      usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14 },
    }),
  ],
  [
    'a message',
    'anthropic',
    (text) => ({
      id: 'm1',
      type: 'message',
      model: 'm-1',
      content: [
        { type: 'fallback', from: { model: 'm-1' }, to: { model: 'm-2' } },
        { type: 'text', text },
      ],
      stop_reason: 'end_turn',
      usage: { input_tokens: 9, output_tokens: 5 },
    }),
  ],
  [
    'a picture of Gemini',
    'gemini',
    (data) => ({
      candidates: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data } }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 5, totalTokenCount: 14 },
      modelVersion: 'm-1',
      responseId: 'r1',
    }),
  ],
  [
    'an interaction',
    'gemini-interactions',
    (text) => ({
      id: 'v1_1',
      model: 'm-1',
      status: 'completed',
      steps: [{ type: 'model_output', content: [{ type: 'text', text }] }],
      usage: { total_input_tokens: 9, total_output_tokens: 5, total_tokens: 14 },
    }),
  ],
  [
    'converse',
    'bedrock-converse',
    (text) => ({
      output: { message: { role: 'assistant', content: [{ text }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 9, outputTokens: 5, totalTokens: 14 },
      trace: { promptRouter: { invokedModelId: 'm-1' } },
    }),
  ],
  [
    'Claude',
    'bedrock-invoke',
    (text) => ({
      id: 'm1',
      type: 'message',
      model: 'm-1',
      content: [{ type: 'text', text }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 9, output_tokens: 5 },
    }),
  ],
  [
    'Nova',
    'bedrock-invoke',
    (text) => ({
      output: { message: { role: 'assistant', content: [{ text }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 9, outputTokens: 5, totalTokens: 20, cacheReadInputTokenCount: 6 },
    }),
  ],
  [
    'OpenAI',
    'bedrock-invoke',
    (content) => ({
      id: 'c1',
      model: 'm-1',
      choices: [{ message: { content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
    }),
  ],
  [
    'Titan',
    'bedrock-invoke',
    (outputText) => ({ inputTextTokenCount: 9, results: [{ outputText, tokenCount: 5, completionReason: 'FINISH' }] }),
  ],
  [
    'Llama',
    'bedrock-invoke',
    (generation) => ({ generation, prompt_token_count: 9, generation_token_count: 5, stop_reason: 'stop' }),
  ],
  ['Mistral', 'bedrock-invoke', (text) => ({ outputs: [{ text, stop_reason: 'stop' }] })],
  ['Cohere', 'bedrock-invoke', (text) => ({ id: 'c1', generations: [{ text, finish_reason: 'COMPLETE' }] })],
  ['Claude of old', 'bedrock-invoke', (completion) => ({ completion, stop_reason: 'stop_sequence' })],
  [
    'a chat',
    'ollama-chat',
    (content) => ({
      model: 'm-1',
      message: { content },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 9,
      eval_count: 5,
    }),
  ],
  [
    'a completion',
    'ollama-generate',
    (response) => ({ model: 'm-1', response, done: true, done_reason: 'stop', prompt_eval_count: 9, eval_count: 5 }),
  ],
  [
    'a chat, version 2',
    'cohere',
    (text) => ({
      id: 'c1',
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text }] },
      usage: { tokens: { input_tokens: 9, output_tokens: 5 } },
    }),
  ],
  [
    'a chat, version 1',
    'cohere',
    (text) => ({
      response_id: 'c1',
      text,
      finish_reason: 'COMPLETE',
      meta: { billed_units: { input_tokens: 9, output_tokens: 5 } },
    }),
  ],
  [
    'a generation',
    'tgi',
    (generated_text) => ({
      generated_text,
      details: { finish_reason: 'length', generated_tokens: 5, input_length: 9 },
    }),
  ],
  [
    'a completion of llama.cpp',
    'llama-cpp',
    (content) => ({
      ...{ content, stop: true, model: 'm-1', tokens_predicted: 5, tokens_evaluated: 9, prompt: content },
      ...{ stop_type: 'limit', tokens_cached: 13, timings: { cache_n: 4 } },
    }),
  ],
]

/** What an answer told, all but how many bytes its text has. */
function toldBy(format: FormatName, answer: Record<string, unknown>) {
  const bytes = Buffer.from(JSON.stringify(answer))
  const accumulator = new UsageAccumulator()
  const plain = new JsonResponseMeter(getFormat(format), accumulator)
  for (const piece of piecesOf(bytes, 10_000)) plain.pass(piece)
  plain.finish(0)
  const { estimatedTokens, ...told } = accumulator
  return { ...told, isEstimated: estimatedTokens > 0, isLarge: bytes.length > 256 * KIB }
}

describe('a large answer reports what a small one does', () => {
  for (const [what, format, answer] of answers) {
    test(`${format}: ${what}`, () => {
      const { isLarge, ...small } = toldBy(format, answer('Hello'))
      assert.equal(isLarge, false)
      assert.ok(small.usage ?? small.finishReason)
      for (const large of [
        answer('A "long" \u{1f600} text\n'.repeat(20_000)),
        { pad: 'x'.repeat(300 * KIB), ...answer('Hello') },
      ]) {
        assert.deepEqual(toldBy(format, large), { ...small, isLarge: true })
      }
    })
  }

  test('every format is covered', () => {
    assert.deepEqual([...new Set(answers.map(([, format]) => format))].sort(), [...formatNames].sort())
  })
})

describe('an answer that reports no usage', () => {
  test('has an estimate of its text', () => {
    const accumulator = new UsageAccumulator()
    const plain = new JsonResponseMeter(getFormat('gemini'), accumulator)
    const parts = [{ text: ' one two'.repeat(50) }]
    plain.pass(Buffer.from(JSON.stringify({ candidates: [{ content: { parts } }] })))
    plain.finish(0)
    const { outputTokens, ...usage } = accumulator.usageAt(true)!
    assert.deepEqual(usage, { estimated: true })
    assert.ok(outputTokens! > 90 && outputTokens! < 110, `${outputTokens} tokens`)
    assert.equal(accumulator.firstTokenAt, undefined, 'it came all at once')
  })

  test("uses the app's function for the estimate, if it has one", () => {
    const accumulator = new UsageAccumulator()
    const plain = new JsonResponseMeter(getFormat('ollama-generate'), accumulator, {
      estimateTokens: (text, model) => text.length + model!.length,
    })
    plain.pass(Buffer.from(JSON.stringify({ model: 'm-1', response: 'Hello' })))
    plain.finish(0)
    assert.deepEqual(accumulator.usageAt(true), { outputTokens: 8, estimated: true })
  })
})
