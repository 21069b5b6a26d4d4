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

const messages: Case[] = [
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
    'usage only',
    `{${gpt},"service_tier":"default","system_fingerprint":"fp_1","choices":[],"usage":${openaiUsage},"obfuscation":"h9RiQLL"}`,
    { ...named, usage: readUsage, isUsageOnly: true },
  ],
  [
    'usage only, with fields for text that have none',
    `{${gpt},"choices":[],"usage":${openaiUsage},"text":"","delta":null,"content":[]}`,
    { ...named, usage: readUsage, isUsageOnly: true },
  ],
  ['usage beside a text', `{${gpt},"choices":[],"usage":${openaiUsage},"text":"Once"}`, { ...named, usage: readUsage }],
  ['a refusal', `{${gpt},"choices":[{"delta":{"refusal":"I cannot"}}]}`, { ...named, text: 'I cannot' }],
  [
    'several choices',
    `{${gpt},"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}`,
    { ...named, text: 'ab', finishReason: 'length' },
  ],
  [
    'the arguments of tool calls',
    `{${gpt},"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\\"city"}},{"index":1,"type":"custom","custom":{"name":"c","input":"x = 1"}}]}}]}`,
    { ...named, text: '{"cityx = 1', callsTool: true },
  ],
  [
    'a function call of old',
    `{${gpt},"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]}`,
    { ...named, text: '{}', finishReason: 'function_call', callsTool: true },
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

describe('openai-chat: messages of a stream', () => readsMessages(openaiChat, messages))

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
  [
    'only the top of one',
    `{"id":"chatcmpl-1","usage":${small}}`,
    { responseId: 'chatcmpl-1', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } },
  ],
]

describe('openai-chat: answers', () => readsAnswers(openaiChat, answers))
survivesAnything(openaiChat, [...messages, ...answers])

test('openai-chat asks for usage', () => assert.deepEqual(openaiChat.usageRequest, ['stream_options', 'include_usage']))

describe('openai-chat: the path of the token limit', () => {
  for (const [request, field] of [
    [{}, 'max_tokens'],
    [{ model: 'gpt-4o' }, 'max_tokens'],
    [{ model: 'mistral-small-latest' }, 'max_tokens'],
    [{ model: 'openai/gpt-oss-120b' }, 'max_tokens'],
    [{ model: 'qwen-turbo3' }, 'max_tokens'],
    [{ model: 5 }, 'max_tokens'],
    [{ model: 'o3-mini' }, 'max_completion_tokens'],
    [{ model: 'gpt-5-nano' }, 'max_completion_tokens'],
    [{ model: 'openai/o1' }, 'max_completion_tokens'],
    [{ model: 'ft:o4-mini-2025-04-16:org::id' }, 'max_completion_tokens'],
    [{ max_tokens: 5, model: 'o3-mini' }, 'max_completion_tokens'],
    [{ max_completion_tokens: 5 }, 'max_tokens'],
  ] as const) {
    test(`${JSON.stringify(request)}: ${field}`, () =>
      assert.deepEqual(openaiChat.maxOutputTokensPath(request), [field]))
  }

  for (const [url, field] of [
    ['https://api.openai.com/v1/chat/completions', 'max_completion_tokens'],
    ['https://eu.api.openai.com:443/v1/chat/completions', 'max_completion_tokens'],
    ['https://mine.openai.azure.com/openai/deployments/d/chat/completions', 'max_completion_tokens'],
    ['https://mine.services.ai.azure.com/openai/v1/chat/completions', 'max_completion_tokens'],
    ['https://mine.services.ai.azure.com/models/chat/completions', 'max_tokens'],
    ['http://127.0.0.1:11434/v1/chat/completions', 'max_tokens'],
    ['https://api.openai.com.evil.example/v1/chat/completions', 'max_tokens'],
    ['https://notapi.openai.com/v1/chat/completions', 'max_tokens'],
    ['https://proxy.example/https://api.openai.com/v1/chat/completions', 'max_tokens'],
  ] as const) {
    test(`${url}: ${field}, whatever the request contains`, () => {
      const request = { model: 'gpt-4o', max_tokens: 5, max_completion_tokens: 5 }
      assert.deepEqual(openaiChat.maxOutputTokensPath(request, url), [field])
    })
  }
})
