import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { getFormat, tokensOf } from '../../lib/formats/index.js'

const { anthropic, gemini, chat, responses } = {
  anthropic: getFormat('anthropic'),
  gemini: getFormat('gemini'),
  chat: getFormat('openai-chat'),
  responses: getFormat('openai-responses'),
}

describe('anthropic: figures of several model calls within one answer', () => {
  const start = {
    type: 'message_start',
    message: {
      id: 'm1',
      model: 'claude-a',
      usage: { input_tokens: 700, cache_read_input_tokens: 5000, output_tokens: 1 },
    },
  }
  /** What a stream of these events told. */
  const told = (...events: Record<string, unknown>[]) => {
    const accumulator = new UsageAccumulator()
    for (const event of events) accumulator.add(anthropic.readMessage(event, undefined), 0)
    return accumulator
  }

  test('compaction: usage has the last figures, and tokens have everything that is billed', () => {
    const accumulator = told(start, {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn' },
      usage: {
        input_tokens: 180,
        cache_read_input_tokens: 0,
        output_tokens: 8,
        iterations: [
          { type: 'compaction', input_tokens: 700, cache_read_input_tokens: 5000, output_tokens: 90 },
          { type: 'message', input_tokens: 180, cache_read_input_tokens: 0, output_tokens: 8 },
        ],
      },
    })
    assert.deepEqual(accumulator.usageAt(true), {
      inputTokens: 180,
      cachedInputTokens: 0,
      outputTokens: 8,
      estimated: false,
    })
    const { uncachedInput, cachedInput, visibleOutput, total } = accumulator.tokensAt(true, anthropic.counting)!
    assert.deepEqual([uncachedInput, cachedInput, visibleOutput, total], [880, 5000, 98, 5978])
  })

  test("an advisor's tokens are separate, because they have their own price", () => {
    const accumulator = told(start, {
      type: 'message_delta',
      delta: {},
      usage: {
        input_tokens: 10,
        cache_read_input_tokens: 0,
        output_tokens: 8,
        iterations: [
          { type: 'message', input_tokens: 10, output_tokens: 8 },
          { type: 'advisor_message', model: 'claude-b', input_tokens: 900, output_tokens: 70 },
        ],
      },
    })
    const { toolInputTokens, toolOutputTokens, outputTokens } = accumulator.usage!
    assert.deepEqual([toolInputTokens, toolOutputTokens, outputTokens], [900, 70, 8])
    assert.equal(accumulator.tokensAt(true, anthropic.counting)?.total, 18)
  })

  test('a fallback model is the one that answers, according to its block or the final figures', () => {
    const block = { type: 'content_block_start', content_block: { type: 'fallback', to: { model: 'claude-b' } } }
    assert.equal(told(start, block).model, 'claude-b')
    const iterations = [{ type: 'message' }, { type: 'fallback_message', model: 'claude-b', input_tokens: 4 }]
    const end = { type: 'message_delta', delta: {}, usage: { output_tokens: 2, iterations } }
    assert.equal(told(start, end).model, 'claude-b')
    assert.equal(
      told(start, block, { type: 'message_delta', delta: {}, usage: { output_tokens: 2 } }).model,
      'claude-b',
    )
  })

  test('an answer within message_start is read', () => {
    const content = [
      { type: 'code_execution_tool_result', content: { stdout: 'not the model' } },
      { type: 'tool_use', name: 'f', input: { a: 1 } },
    ]
    const message = {
      id: 'm1',
      model: 'c',
      content,
      stop_reason: 'tool_use',
      usage: { input_tokens: 0, output_tokens: 0 },
    }
    const accumulator = told({ type: 'message_start', message }, { type: 'message_stop' })
    assert.deepEqual([accumulator.finishReason, accumulator.firstTokenAt], ['tool_use', 0])
    assert.equal(anthropic.readMessage({ type: 'message_start', message }, undefined).text, '{"a":1}')
  })

  test('a summary of the context is text, tool results are not', () => {
    const read = (delta: object) => anthropic.readMessage({ type: 'content_block_delta', delta }, undefined)
    assert.equal(read({ type: 'compaction_delta', content: 'So far: ' }).text, 'So far: ')
    assert.equal(read({ type: 'other_delta', content: 'x' }).text, undefined)
  })

  test('an event with input figures only has the usage marker', () => {
    const delta = '{"type":"message_delta","delta":{},"usage":{"input_tokens":12}}'
    assert.ok(delta.includes(anthropic.usageMarker))
  })
})

describe('gemini', () => {
  const read = (part: object, candidate: object = {}) =>
    gemini.readMessage({ candidates: [{ content: { parts: [part] }, ...candidate }] }, undefined)

  test('tool arguments in parts are text', () => {
    const partialArgs = [
      { jsonPath: '$.city', stringValue: 'San ', willContinue: true },
      { jsonPath: '$.days', numberValue: 3 },
      { jsonPath: '$.now', boolValue: true },
      { jsonPath: '$.none', nullValue: null },
    ]
    assert.equal(read({ functionCall: { partialArgs, willContinue: true } }).text, 'San 3true')
    assert.equal(read({ functionCall: { name: 'f', willContinue: true } }).callsTool, true)
  })

  test('a numeric finish reason is kept as a string; 0 means none', () => {
    assert.equal(read({}, { finishReason: 1 }).finishReason, '1')
    assert.equal(read({}, { finishReason: 0 }).finishReason, undefined)
    assert.equal(gemini.readMessage({ promptFeedback: { blockReason: 2 } }, undefined).finishReason, '2')
  })
})

describe('openai-chat', () => {
  const textOf = (delta: object) => chat.readMessage({ choices: [{ delta }] }, undefined).text

  test('reasoning that is only in parts is text', () => {
    assert.equal(textOf({ reasoning_details: [{ type: 'reasoning.text', text: 'Hm' }] }), 'Hm')
    assert.equal(textOf({ reasoning_details: [{ type: 'reasoning.summary', summary: 'So' }] }), 'So')
    assert.equal(textOf({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] }), undefined)
    assert.equal(textOf({ reasoning: 'Hm', reasoning_details: [{ text: 'Hm' }] }), 'Hm')
    assert.equal(textOf({ content: [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }] }] }), 'Hm')
  })

  const usage = { prompt_tokens: 3, completion_tokens: 2 }
  const isHidden = (event: object) => chat.readMessage({ id: 'c', usage, ...event }, undefined).isUsageOnly === true
  for (const choices of [{}, { choices: null }, { choices: [] }, { choices: [null] }, { choices: [{}] }]) {
    const spelled = JSON.stringify(choices)
    test(`an event with ${spelled} for choices has usage only, despite irrelevant extra fields`, () => {
      for (const beside of [
        {},
        { latency_checkpoint: { engine_tbt_ms: 3 } },
        { stats: {}, cost: 0.1, base_resp: { status_code: 0 }, nvext: { timing: 1 } },
        { prompt_filter_results: [], citations: null, search_results: [], error: null },
      ]) {
        assert.ok(isHidden({ ...choices, ...beside }), JSON.stringify(beside))
      }
    })

    test(`an event with ${spelled} for choices and relevant fields has more than usage`, () => {
      for (const beside of [
        { prompt_filter_results: [{ prompt_index: 0 }] },
        { citations: ['https://example.com'] },
        { search_results: [{ url: 'https://example.com' }] },
        { error: { message: 'No' } },
      ]) {
        assert.ok(!isHidden({ ...choices, ...beside }), JSON.stringify(beside))
      }
    })
  }
  test('an event with a choice has more than usage', () => assert.ok(!isHidden({ choices: [{ delta: {} }] })))

  test('an event with an answer in unknown fields has more than usage', () => {
    for (const beside of [{ result: 'Hi', is_end: false }, { result: '', is_end: true }, { response: 'Hi' }]) {
      assert.ok(!isHidden(beside), JSON.stringify(beside))
    }
  })

  test('the usage marker is in every spelling, even with a total and one part only', () => {
    for (const told of ['{"output_tokens":1}', '{"completion_tokens":1}', '{"prompt_tokens":1,"total_tokens":2}']) {
      assert.ok(told.includes(chat.usageMarker), told)
    }
  })
})

describe('openai-responses', () => {
  const read = (data: object) => responses.readMessage(data as Record<string, unknown>, undefined)

  test('a tool call counts from its first event', () => {
    for (const type of ['function_call', 'tool_search_call', 'mcp_approval_request', 'image_generation_call']) {
      assert.equal(read({ type: 'response.output_item.added', item: { type, id: 'i1' } }).callsTool, true, type)
    }
    for (const type of ['message', 'reasoning', 'mcp_list_tools', 'function_call_output']) {
      assert.equal(read({ type: 'response.output_item.added', item: { type, id: 'i1' } }).callsTool, undefined, type)
    }
  })

  for (const [what, event, text] of [
    ['arguments', { type: 'response.function_call_arguments.done', item_id: 'i1', arguments: '{"a":1}' }, '{"a":1}'],
    [
      'an item',
      { type: 'response.output_item.done', item: { id: 'i1', type: 'function_call', arguments: '{"a":1}' } },
      '{"a":1}',
    ],
    [
      'an action',
      { type: 'response.output_item.done', item: { id: 'i1', type: 'local_shell_call', action: { command: ['ls'] } } },
      '{"command":["ls"]}',
    ],
    [
      'a search for tools',
      { type: 'response.output_item.done', item: { id: 'i1', type: 'tool_search_call', arguments: { q: 1 } } },
      '{"q":1}',
    ],
  ] as const) {
    test(`${what} in one piece becomes \`whole\``, () => assert.deepEqual(read(event).whole, { id: 'i1', text }))
  }

  for (const type of ['response.completed', 'response.incomplete', 'response.failed']) {
    test(`${type} has usage, and the tool's usage next to it`, () => {
      const usage = { input_tokens: 20, output_tokens: 3, total_tokens: 23 }
      const told = { status: 'x', usage, tool_usage: { image_gen: { input_tokens: 7, output_tokens: 900 } } }
      const reading = read({ type, response: told })
      assert.deepEqual(reading.usage, {
        inputTokens: 20,
        outputTokens: 3,
        totalTokens: 23,
        toolInputTokens: 7,
        toolOutputTokens: 900,
      })
      assert.equal(tokensOf(reading.usage!, responses.counting).total, 23)
    })
  }
})

describe('usage under other names', () => {
  test('chat completions: in the spelling of JavaScript', () => {
    for (const usage of [
      { promptTokens: 10, completionTokens: 5, totalTokens: 15 },
      { inputTokens: 10, outputTokens: 5, totalTokens: 15 },
    ]) {
      const read = chat.readAnswer({ choices: [], usage }).usage
      assert.deepEqual(read, { inputTokens: 10, outputTokens: 5, totalTokens: 15 })
    }
  })

  test('responses: as chat completions name it', () => {
    const usage = {
      prompt_tokens: 10,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens: 5,
      completion_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 15,
    }
    assert.deepEqual(responses.readAnswer({ status: 'completed', usage }).usage, {
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      cachedInputTokens: 4,
      reasoningTokens: 2,
    })
  })

  test('anthropic: what was written to the cache, by how long it is kept', () => {
    const cache_creation = { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 50 }
    for (const usage of [
      { input_tokens: 10, output_tokens: 5, cache_creation },
      { input_tokens: 10, output_tokens: 5, cache_creation, cache_creation_input_tokens: 150 },
    ]) {
      const read = anthropic.readAnswer({ type: 'message', usage }).usage
      assert.deepEqual(read, { inputTokens: 10, outputTokens: 5, cacheWriteTokens: 150 })
    }
  })

  test('gemini: everything in the spelling of protocol buffers', () => {
    const parts = [{ text: 'Once' }, { function_call: { name: 'f', args: { a: 1 } } }]
    const read = gemini.readAnswer({
      candidates: [{ content: { parts }, finish_reason: 'STOP' }],
      model_version: 'm',
      response_id: 'r',
      usage_metadata: {
        prompt_token_count: 10,
        tool_use_prompt_token_count: 1,
        candidates_token_count: 5,
        thoughts_token_count: 3,
        cached_content_token_count: 2,
        total_token_count: 19,
      },
    })
    assert.deepEqual(read, {
      model: 'm',
      responseId: 'r',
      finishReason: 'STOP',
      text: 'Once{"a":1}',
      callsTool: true,
      usage: { inputTokens: 11, outputTokens: 5, totalTokens: 19, cachedInputTokens: 2, reasoningTokens: 3 },
    })
    assert.equal(gemini.readAnswer({ prompt_feedback: { block_reason: 'SAFETY' } }).finishReason, 'SAFETY')
  })

  test('gemini: pictures in that spelling are content, and every message is one of the format', () => {
    const picture = { candidates: [{ content: { parts: [{ inline_data: { data: 'AA' } }] } }] }
    assert.equal(gemini.progressIn(picture, undefined)?.isContent, true)
    assert.ok(gemini.progressIn({ usage_metadata: { prompt_token_count: 1 } }, undefined))
  })
})
