import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openaiCompletions } from '../../lib/formats/openai-completions.js'
import { type Case, readsAnswers, readsMessages, survivesAnything } from './checks.js'

const head = '"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-3.5-turbo-instruct"'
const named = { model: 'gpt-3.5-turbo-instruct', responseId: 'cmpl-1' }
const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 }

const messages: Case[] = [
  [
    'a piece',
    `{${head},"choices":[{"text":" a","index":0,"logprobs":null,"finish_reason":null}],"usage":null}`,
    { ...named, text: ' a' },
  ],
  [
    'several choices, one of them at its end',
    `{${head},"choices":[{"text":"a","index":0,"finish_reason":null},{"text":"b","index":1,"finish_reason":"length"}]}`,
    { ...named, text: 'ab', finishReason: 'length' },
  ],
  [
    'usage only',
    `{${head},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`,
    { ...named, usage, isUsageOnly: true },
  ],
  [
    'usage with the last piece',
    `{${head},"choices":[{"text":".","finish_reason":"stop"}],"usage":{"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}`,
    { ...named, text: '.', finishReason: 'stop', usage },
  ],
  ['an error', '{"error":{"message":"No"}}', { error: 'No' }],
]

const answers: Case[] = [
  [
    'an answer',
    `{${head},"choices":[{"text":"Hello","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`,
    { ...named, text: 'Hello', finishReason: 'stop', usage },
  ],
]

describe('openai-completions: messages of a stream', () => readsMessages(openaiCompletions, messages))
describe('openai-completions: answers', () => readsAnswers(openaiCompletions, answers))
survivesAnything(openaiCompletions, [...messages, ...answers])

test('openai-completions: the paths of the usage request and the token limit', () => {
  assert.deepEqual(openaiCompletions.usageRequest, ['stream_options', 'include_usage'])
  assert.deepEqual(openaiCompletions.maxOutputTokensPath({}), ['max_tokens'])
})
