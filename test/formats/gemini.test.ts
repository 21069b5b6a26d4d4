import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gemini } from '../../lib/formats/gemini.js'
import {
  type Case,
  decodesNothing,
  failure,
  noErrors,
  readsAnswers,
  readsMessages,
  survivesAnything,
} from './checks.js'

describe('gemini: failures', () => {
  test("the body has Google's format, with our code in its details", () => {
    assert.deepEqual(gemini.errorBody(failure), {
      error: {
        code: 504,
        message: failure.message,
        status: 'DEADLINE_EXCEEDED',
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'IDLE_TIMEOUT',
            domain: 'express-ai-proxy',
            metadata: { code: 'idle_timeout' },
          },
        ],
      },
    })
  })

  for (const [status, name] of [
    [400, 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
    [413, 'INVALID_ARGUMENT'],
    [429, 'RESOURCE_EXHAUSTED'],
    [500, 'INTERNAL'],
    [502, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [504, 'DEADLINE_EXCEEDED'],
    [599, 'INTERNAL'],
  ] as const) {
    test(`status for ${status}`, () => {
      const { error } = gemini.errorBody({ ...failure, status }) as { error: { status: string; code: number } }
      assert.deepEqual([error.status, error.code], [name, status])
    })
  }

  test('the event is one data event with the body', () => {
    const body = gemini.errorBody(failure)
    assert.equal(gemini.errorEvent(body), `data: ${JSON.stringify(body)}\n\n`)
  })

  test("Google's own errors are recognised, nothing else is", () => {
    assert.equal(gemini.isErrorBody(gemini.errorBody(failure)), true)
    for (const body of [...noErrors, [{ error: {} }]])
      assert.equal(gemini.isErrorBody(body), false, JSON.stringify(body))
  })
})

decodesNothing(gemini, `data: {"candidates":[{"finishReason":"STOP"}]}\n\n`)

const named = { model: 'gemini-3-pro', responseId: 'bH6LaZ' }
const names = '"modelVersion":"gemini-3-pro","responseId":"bH6LaZ"'

const messages: Case[] = [
  [
    'text, and usage so far: thoughts are separate from the candidates',
    `{"candidates":[{"content":{"parts":[{"text":"There are"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"totalTokenCount":199,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}],"thoughtsTokenCount":185},${names}}`,
    {
      ...named,
      text: 'There are',
      usage: { inputTokens: 9, outputTokens: 5, totalTokens: 199, reasoningTokens: 185 },
    },
  ],
  [
    'no candidates counted yet',
    `{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9, "cachedContentTokenCount": 4},${names}}`,
    { ...named, text: 'a', usage: { inputTokens: 9, totalTokens: 9, cachedInputTokens: 4 } },
  ],
  [
    'thoughts, calls, code and its result',
    '{"candidates":[{"content":{"parts":[{"text":"Hm. ","thought":true},{"functionCall":{"name":"f","args":{"a":1}}},{"executableCode":{"language":"PYTHON","code":"1+1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}},{"inlineData":{"mimeType":"image/png","data":"iVBOR"}}]}}]}',
    { text: 'Hm. {"a":1}1+1', callsTool: true },
  ],
  [
    'the end',
    `{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"EqsF"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":23,"totalTokenCount":32},${names}}`,
    { ...named, finishReason: 'STOP', usage: { inputTokens: 9, outputTokens: 23, totalTokens: 32 } },
  ],
  [
    'several candidates',
    '{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}',
    { text: 'ab', finishReason: 'MAX_TOKENS' },
  ],
  ['a candidate without content', '{"candidates":[{"finishReason":"SAFETY","index":0}]}', { finishReason: 'SAFETY' }],
  [
    'a prompt that is blocked',
    `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},${names}}`,
    { ...named, finishReason: 'PROHIBITED_CONTENT', usage: { inputTokens: 9, totalTokens: 9 } },
  ],
  ['an error', '{"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}', { error: 'Overloaded' }],
]

const answers: Case[] = [
  ...messages.slice(0, 1),
  ['a token count is not usage', '{"totalTokens":31,"promptTokensDetails":[]}', {}],
  ['an embedding', '{"embedding":{"values":[0.1]}}', {}],
]

describe('gemini: messages of a stream', () => readsMessages(gemini, messages))
describe('gemini: answers', () => readsAnswers(gemini, answers))
survivesAnything(gemini, [...messages, ...answers])

describe('gemini: the path of the token limit', () => {
  for (const [request, path] of [
    [{}, 'generationConfig.maxOutputTokens'],
    [{ generationConfig: { temperature: 1 } }, 'generationConfig.maxOutputTokens'],
    [{ generationConfig: null }, 'generationConfig.maxOutputTokens'],
    [{ generation_config: { max_output_tokens: 5 } }, 'generation_config.max_output_tokens'],
    [{ generation_config: {} }, 'generation_config.maxOutputTokens'],
    [{ generationConfig: { max_output_tokens: 5 } }, 'generationConfig.max_output_tokens'],
  ] as const) {
    test(`${JSON.stringify(request)}: ${path}`, () =>
      assert.deepEqual(gemini.maxOutputTokensPath(request), path.split('.')))
  }
})
