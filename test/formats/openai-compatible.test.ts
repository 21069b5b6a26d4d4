import { describe } from 'node:test'
import { openaiChat } from '../../lib/formats/openai-chat.js'
import { type Case, readsMessages, survivesAnything } from './checks.js'

const small = '{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
const readSmall = { inputTokens: 3, outputTokens: 2, totalTokens: 5 }

const messages: Case[] = [
  [
    'Azure: what it thinks of the prompt comes first, without model and id',
    '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]}',
    {},
  ],
  [
    'Azure: usage with filter results for the prompt is not usage only',
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
    'xAI: reasoning separate from the output',
    '{"id":"c","model":"grok-3-mini","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303,"prompt_tokens_details":{"cached_tokens":11},"completion_tokens_details":{"reasoning_tokens":290},"num_sources_used":0}}',
    {
      model: 'grok-3-mini',
      responseId: 'c',
      usage: { inputTokens: 12, outputTokens: 1, totalTokens: 303, cachedInputTokens: 11, reasoningTokens: 290 },
      isUsageOnly: true,
    },
  ],
  [
    'xAI: usage with citations is not usage only',
    `{"id":"c","choices":[],"usage":${small},"citations":["https://example.com"]}`,
    { responseId: 'c', usage: readSmall },
  ],
  [
    'Perplexity: usage with every delta',
    `{"id":"c","model":"sonar","usage":${small},"citations":["https://example.com"],"choices":[{"index":0,"message":{"role":"assistant","content":"Eco"},"delta":{"role":"assistant","content":"o"}}]}`,
    { model: 'sonar', responseId: 'c', usage: readSmall, text: 'o' },
  ],
  [
    'Perplexity: reasoning among the figures',
    '{"choices":[{"delta":{"content":"o"}}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"citation_tokens":9,"reasoning_tokens":4}}',
    { usage: { ...readSmall, reasoningTokens: 4 }, text: 'o' },
  ],
  [
    'Mistral: content in parts, some of them thinking',
    '{"id":"c","choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Let "},{"type":"text","text":"me"}]},{"type":"text","text":"!"}]}}]}',
    { responseId: 'c', text: 'Let me!' },
  ],
  [
    'OpenRouter: reasoning, sent twice',
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
    'OpenRouter: an error next to a choice',
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
    'GitHub Copilot: reasoning under a name of its own',
    '{"choices":[{"delta":{"content":null,"reasoning_text":"Hm"}}]}',
    { text: 'Hm' },
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
    'Mistral: an error whose message is not a string',
    '{"object":"error","message":{"detail":[]},"type":"invalid_request_error","code":null}',
    { error: 'invalid_request_error' },
  ],
  [
    'llama.cpp: timings next to usage',
    `{"choices":[],"usage":${small},"timings":{"prompt_n":3}}`,
    { usage: readSmall, isUsageOnly: true },
  ],
  ['an error that is a sentence', '{"error":"model not found"}', { error: 'model not found' }],
  ['an error without a message', '{"error":{}}', { error: 'The provider says that it failed' }],
  ['usage without figures', '{"id":"c","choices":[],"usage":{}}', { responseId: 'c' }],
  ['an error next to usage', `{"choices":[],"error":"x","usage":${small}}`, { usage: readSmall, error: 'x' }],
]

describe("openai-chat: other providers' variants of OpenAI's protocol", () => readsMessages(openaiChat, messages))
survivesAnything(openaiChat, messages)
