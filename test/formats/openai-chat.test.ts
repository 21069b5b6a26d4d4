import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openaiChat } from '../../lib/formats/openai-chat.js'
import { type Case, readsAnswers, readsMessages, survivesAnything } from './checks.js'

const gpt = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1770933892,"model":"gpt-4.1-nano"'
const named = { model: 'gpt-4.1-nano', responseId: 'chatcmpl-1' }
const openaiUsage =
  '{"prompt_tokens":16,"completion_tokens":300,"total_tokens":316,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":64,"audio_tokens":0}}'
const readUsage = { inputTokens: 16, outputTokens: 300, totalTokens: 316, cachedInputTokens: 8, reasoningTokens: 64 }
const small = '{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
const readSmall = { inputTokens: 3, outputTokens: 2, totalTokens: 5 }

const openaiMessages: Case[] = [
  [
    'the first delta: a role, and no text yet',
    `{${gpt},"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null,"obfuscation":"Qup1"}`,
    named,
  ],
  [
    'a delta',
    `{${gpt},"choices":[{"index":0,"delta":{"content":"Holi"},"logprobs":null,"finish_reason":null}],"usage":null}`,
    { ...named, text: 'Holi' },
  ],
  [
    'a delta that speaks of usage',
    `{${gpt},"choices":[{"index":0,"delta":{"content":"{\\"completion_tokens\\":1}"}}]}`,
    { ...named, text: '{"completion_tokens":1}' },
  ],
  [
    'the end of a choice',
    `{${gpt},"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`,
    { ...named, finishReason: 'stop' },
  ],
  [
    'usage, and nothing else',
    `{${gpt},"service_tier":"default","system_fingerprint":"fp_1","choices":[],"usage":${openaiUsage},"obfuscation":"h9RiQLL"}`,
    { ...named, usage: readUsage, isUsageOnly: true },
  ],
  ['a refusal', `{${gpt},"choices":[{"delta":{"refusal":"I cannot"}}]}`, { ...named, text: 'I cannot' }],
  [
    'several choices',
    `{${gpt},"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}`,
    { ...named, text: 'ab', finishReason: 'length' },
  ],
  [
    'the arguments of tool calls',
    `{${gpt},"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\\"city"}},{"index":1,"type":"custom","custom":{"name":"c","input":"x = 1"}}]}}]}`,
    { ...named, text: '{"cityx = 1' },
  ],
  [
    'a function call of old',
    `{${gpt},"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]}`,
    { ...named, text: '{}', finishReason: 'function_call' },
  ],
  [
    'spoken text',
    `{${gpt},"choices":[{"delta":{"audio":{"id":"audio_1","transcript":"Hello","data":"UklGRg=="}}}]}`,
    { ...named, text: 'Hello' },
  ],
  [
    'an error',
    '{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}',
    { error: 'The server had an error' },
  ],
]

const otherMessages: Case[] = [
  [
    'Azure: what it thinks of the prompt comes first, without model and id',
    '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]}',
    {},
  ],
  [
    'Azure: usage beside what it thinks of the prompt is not usage only',
    `{"choices":[],"id":"","model":"","prompt_filter_results":[{"prompt_index":0}],"usage":${small}}`,
    { usage: readSmall },
  ],
  [
    'DeepSeek: reasoning',
    '{"id":"c","model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"The user"},"finish_reason":null}],"usage":null}',
    { model: 'deepseek-reasoner', responseId: 'c', text: 'The user' },
  ],
  [
    'DeepSeek: usage with the end of the choice',
    '{"id":"c","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":339,"completion_tokens":83,"total_tokens":422,"prompt_cache_hit_tokens":320,"prompt_cache_miss_tokens":19}}',
    {
      responseId: 'c',
      finishReason: 'tool_calls',
      usage: { inputTokens: 339, outputTokens: 83, totalTokens: 422, cachedInputTokens: 320 },
    },
  ],
  [
    'Groq: the request, and no usage yet',
    '{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"x_groq":{"id":"req_1","seed":1}}',
    { responseId: 'c' },
  ],
  [
    'Groq: usage in its own field',
    `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":${small}}}`,
    { responseId: 'c', finishReason: 'stop', usage: readSmall },
  ],
  [
    'Groq: usage only',
    `{"id":"c","choices":[],"usage":${small},"x_groq":{"id":"req_1","usage":${small}}}`,
    { responseId: 'c', usage: readSmall, isUsageOnly: true },
  ],
  [
    'Moonshot: usage in the choice that ends',
    '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cached_tokens":1}}]}',
    { responseId: 'c', finishReason: 'stop', usage: { ...readSmall, cachedInputTokens: 1 } },
  ],
  [
    'xAI: reasoning beside the output',
    '{"id":"c","model":"grok-3-mini","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303,"prompt_tokens_details":{"cached_tokens":11},"completion_tokens_details":{"reasoning_tokens":290},"num_sources_used":0}}',
    {
      model: 'grok-3-mini',
      responseId: 'c',
      usage: { inputTokens: 12, outputTokens: 1, totalTokens: 303, cachedInputTokens: 11, reasoningTokens: 290 },
      isUsageOnly: true,
    },
  ],
  [
    'xAI: usage beside citations is not usage only',
    `{"id":"c","choices":[],"usage":${small},"citations":["https://example.com"]}`,
    { responseId: 'c', usage: readSmall },
  ],
  [
    'Perplexity: usage with every delta',
    `{"id":"c","model":"sonar","usage":${small},"citations":["https://example.com"],"choices":[{"index":0,"message":{"role":"assistant","content":"Eco"},"delta":{"role":"assistant","content":"o"}}]}`,
    { model: 'sonar', responseId: 'c', usage: readSmall, text: 'o' },
  ],
  [
    'Mistral: content in parts, some of them thinking',
    '{"id":"c","choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Let "},{"type":"text","text":"me"}]},{"type":"text","text":"!"}]}}]}',
    { responseId: 'c', text: 'Let me!' },
  ],
  [
    'OpenRouter: reasoning, told twice',
    '{"id":"gen-1","provider":"X","choices":[{"delta":{"content":"","reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm"}]}}]}',
    { responseId: 'gen-1', text: 'Hm' },
  ],
  [
    'OpenRouter: what was written to a cache',
    '{"id":"gen-1","choices":[{"delta":{"content":""},"finish_reason":null}],"usage":{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.95,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100}}}',
    {
      responseId: 'gen-1',
      usage: { inputTokens: 194, outputTokens: 2, totalTokens: 196, cachedInputTokens: 0, cacheWriteTokens: 100 },
    },
  ],
  [
    'OpenRouter: an error beside a choice',
    '{"id":"gen-1","error":{"code":502,"message":"Provider disconnected"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}',
    { responseId: 'gen-1', finishReason: 'error', error: 'Provider disconnected' },
  ],
  [
    'OpenRouter: an error within a choice',
    '{"id":"gen-1","choices":[{"delta":{},"finish_reason":"error","error":{"code":502,"message":"Gone"}}]}',
    { responseId: 'gen-1', finishReason: 'error', error: 'Gone' },
  ],
  [
    "LiteLLM: Anthropic's figures of the cache",
    '{"choices":[],"usage":{"prompt_tokens":31,"completion_tokens":467,"total_tokens":498,"prompt_tokens_details":{"cached_tokens":0},"cache_creation_input_tokens":1253,"cache_read_input_tokens":20}}',
    {
      usage: { inputTokens: 31, outputTokens: 467, totalTokens: 498, cachedInputTokens: 20, cacheWriteTokens: 1253 },
      isUsageOnly: true,
    },
  ],
  [
    'vLLM: reasoning under both names',
    '{"choices":[{"delta":{"reasoning":"Hm","reasoning_content":"Hm"}}]}',
    { text: 'Hm' },
  ],
  [
    'vLLM: fields without a value do not keep usage from being all',
    `{"id":"c","choices":[],"prompt_token_ids":null,"error":null,"usage":${small}}`,
    { responseId: 'c', usage: readSmall, isUsageOnly: true },
  ],
  [
    'vLLM: an error without a field for it',
    '{"object":"error","message":"Too long","type":"BadRequestError","param":null,"code":400}',
    { error: 'Too long' },
  ],
  [
    'Mistral: an error whose message is no sentence',
    '{"object":"error","message":{"detail":[]},"type":"invalid_request_error","code":null}',
    { error: 'invalid_request_error' },
  ],
  [
    'llama.cpp: timings beside usage',
    `{"choices":[],"usage":${small},"timings":{"prompt_n":3}}`,
    { usage: readSmall, isUsageOnly: true },
  ],
  ['an error that is a sentence', '{"error":"model not found"}', { error: 'model not found' }],
  ['an error that says nothing', '{"error":{}}', { error: 'The provider says that it failed' }],
  ['usage without figures', `{${gpt},"choices":[],"usage":{}}`, named],
  ['an error beside usage', `{"choices":[],"error":"x","usage":${small}}`, { usage: readSmall, error: 'x' }],
]

describe("openai-chat: OpenAI's messages of a stream", () => readsMessages(openaiChat, openaiMessages))
describe('openai-chat: what compatible servers make of them', () => readsMessages(openaiChat, otherMessages))

const answers: Case[] = [
  [
    'an answer',
    `{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4.1-nano","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[]},"finish_reason":"stop"}],"usage":${openaiUsage}}`,
    { ...named, text: 'Hello', finishReason: 'stop', usage: readUsage },
  ],
  [
    'tool calls, whose arguments are an object at some servers',
    '{"id":"c","choices":[{"message":{"content":null,"reasoning_content":"Hm","tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\":1}"}},{"function":{"arguments":{"b":2}}}]},"finish_reason":"tool_calls"}]}',
    { responseId: 'c', text: 'Hm{"a":1}{"b":2}', finishReason: 'tool_calls' },
  ],
  ['an error', '{"error":{"message":"No","code":"x"}}', { error: 'No' }],
  // Of a large answer the fields at the top are all that is read.
  ['only the top of one', `{"id":"chatcmpl-1","usage":${small}}`, { responseId: 'chatcmpl-1', usage: readSmall }],
]

describe('openai-chat: answers', () => readsAnswers(openaiChat, answers))
survivesAnything(openaiChat, [...openaiMessages, ...otherMessages, ...answers])

test('openai-chat asks for usage', () => assert.deepEqual(openaiChat.usageRequest, ['stream_options', 'include_usage']))

describe('openai-chat: where the limit stands', () => {
  for (const [request, field] of [
    [{}, 'max_tokens'],
    [{ model: 'gpt-4o' }, 'max_tokens'],
    [{ model: 'mistral-small-latest' }, 'max_tokens'],
    [{ model: 'openai/gpt-oss-120b' }, 'max_tokens'],
    [{ model: 5 }, 'max_tokens'],
    [{ model: 'o3-mini' }, 'max_completion_tokens'],
    [{ model: 'gpt-5-nano' }, 'max_completion_tokens'],
    [{ model: 'openai/o1' }, 'max_completion_tokens'],
    [{ model: 'ft:o4-mini-2025-04-16:org::id' }, 'max_completion_tokens'],
    [{ max_tokens: 5, model: 'o3-mini' }, 'max_tokens'],
    [{ max_completion_tokens: 5 }, 'max_completion_tokens'],
    [{ max_completion_tokens: 5, max_tokens: 5 }, 'max_completion_tokens'],
    [{ max_completion_tokens: null, max_tokens: 5 }, 'max_tokens'],
    [{ max_completion_tokens: null, max_tokens: null, model: 'o3' }, 'max_completion_tokens'],
  ] as const) {
    test(`${JSON.stringify(request)}: ${field}`, () =>
      assert.deepEqual(openaiChat.maxOutputTokensPath(request), [field]))
  }
})
