import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { statusOfError } from '../../lib/formats/error-status.js'

type Row = readonly [what: string, json: string, status: number | undefined, event?: string]

const rows: readonly Row[] = [
  [
    'OpenAI: quota',
    '{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
    429,
  ],
  ['OpenAI: rate', '{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}', 429],
  ['OpenAI: server', '{"error":{"message":"m","type":"server_error","code":null}}', 500],
  ['OpenAI: request', '{"error":{"message":"m","type":"invalid_request_error","code":null}}', 400],
  [
    'OpenAI: a code says more than its type',
    '{"error":{"type":"invalid_request_error","code":"model_not_found"}}',
    404,
  ],
  ['OpenAI: key', '{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}', 401],
  ['OpenAI: length', '{"error":{"code":"context_length_exceeded"}}', 400],
  ['OpenAI: filter', '{"error":{"code":"content_filter","type":null}}', 400],
  [
    'OpenAI: a failed response',
    '{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}',
    500,
    'response.failed',
  ],
  ['OpenAI: an error event', '{"type":"error","code":"rate_limit_exceeded","message":"m"}', 429, 'error'],
  ['Anthropic: 400', '{"type":"error","error":{"type":"invalid_request_error","message":"m"}}', 400, 'error'],
  ['Anthropic: 401', '{"type":"error","error":{"type":"authentication_error","message":"m"}}', 401, 'error'],
  ['Anthropic: 402', '{"type":"error","error":{"type":"billing_error","message":"m"}}', 402, 'error'],
  ['Anthropic: 403', '{"type":"error","error":{"type":"permission_error","message":"m"}}', 403, 'error'],
  ['Anthropic: 404', '{"type":"error","error":{"type":"not_found_error","message":"m"}}', 404, 'error'],
  ['Anthropic: 413', '{"type":"error","error":{"type":"request_too_large","message":"m"}}', 413, 'error'],
  ['Anthropic: 429', '{"type":"error","error":{"type":"rate_limit_error","message":"m"}}', 429, 'error'],
  ['Anthropic: 500', '{"type":"error","error":{"type":"api_error","message":"m"}}', 500, 'error'],
  ['Anthropic: 504', '{"type":"error","error":{"type":"timeout_error","message":"m"}}', 504, 'error'],
  ['Anthropic: 529', '{"type":"error","error":{"type":"overloaded_error","message":"m"}}', 529, 'error'],
  ['Google: its code', '{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}', 503],
  ['Google: in an array', '[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]', 429],
  ...(
    [
      ['UNAVAILABLE', 503],
      ['RESOURCE_EXHAUSTED', 429],
      ['INTERNAL', 500],
      ['DEADLINE_EXCEEDED', 504],
      ['INVALID_ARGUMENT', 400],
      ['PERMISSION_DENIED', 403],
      ['UNAUTHENTICATED', 401],
      ['NOT_FOUND', 404],
    ] as const
  ).map(([status, code]): Row => [`Google: ${status}`, `{"error":{"message":"m","status":"${status}"}}`, code]),
  ['Google: an interaction', '{"interaction":{"error":{"code":500,"message":"m"}}}', 500],
  ...(
    [
      ['throttlingException', 429],
      ['internalServerException', 500],
      ['serviceUnavailableException', 503],
      ['modelStreamErrorException', 500],
      ['modelTimeoutException', 408],
      ['validationException', 400],
      ['accessDeniedException', 403],
    ] as const
  ).flatMap(([event, code]): Row[] => [
    [`AWS: ${event}`, '{"message":"m","originalStatusCode":424}', code, event],
    [`AWS: ${event}, wrapped`, `{"${event}":{"message":"m"}}`, code],
  ]),
  ['AWS: a type with a namespace', '{"__type":"com.amazon.coral.service#ThrottlingException","message":"m"}', 429],
  ['OpenRouter: a number', '{"error":{"code":502,"message":"m"},"choices":[{"finish_reason":"error"}]}', 502],
  ['OpenRouter: in a choice', '{"choices":[{"finish_reason":"error","error":{"code":429,"message":"m"}}]}', 429],
  ['OpenRouter: a finish reason alone', '{"choices":[{"finish_reason":"error"}]}', undefined],
  ['Cohere: a finish reason', '{"type":"message-end","delta":{"finish_reason":"ERROR","error":"m"}}', undefined],
  ['vLLM: a number', '{"object":"error","message":"m","type":"InternalServerError","param":null,"code":500}', 500],
  ['vLLM: a type', '{"error":{"message":"m","type":"BadRequestError"}}', 400],
  ['Azure: digits', '{"error":{"code":"429","message":"m"}}', 429],
  ['Azure: a deployment', '{"error":{"code":"DeploymentNotFound","message":"m"}}', 404],
  ['Alibaba', '{"code":"Throttling.RateQuota","message":"m","request_id":"r"}', 429],
  ['MiniMax: rate', '{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}', 429],
  ['MiniMax: an unknown code', '{"base_resp":{"status_code":7777,"status_msg":"m"}}', undefined],
  ['Ollama', '{"error":"an error was encountered"}', undefined],
  ['a word in the place of an error', '{"error":"overloaded"}', 503],
  ['FastAPI', '{"detail":"Not Found","status":404}', 404],
  ['a number that is no failure', '{"error":{"code":200,"message":"m"}}', undefined],
  ['a number beyond all statuses', '{"error":{"code":1302,"message":"m"}}', undefined],
  ['a number that is not whole', '{"error":{"code":429.5,"message":"m"}}', undefined],
  ['an inherited name', '{"error":{"code":"constructor"}}', undefined],
]

describe('the status that an error stands for', () => {
  for (const [what, json, status, event] of rows) {
    test(what, () => assert.equal(statusOfError(JSON.parse(json), event), status))
  }

  test('is undefined without data', () => {
    assert.equal(statusOfError(undefined), undefined)
    assert.equal(statusOfError(undefined, 'error'), undefined)
    assert.equal(statusOfError(undefined, 'throttlingException'), 429)
  })

  test('is a status of a failure, or undefined, whatever the data', () => {
    const field = fc.constantFrom('error', 'code', 'status', 'type', 'errors', 'response', 'base_resp', 'status_code')
    const value = fc.oneof(
      fc.integer({ min: 0, max: 1000 }),
      fc.string(),
      fc.constantFrom('INTERNAL', 'api_error', '503'),
    )
    const { data } = fc.letrec((tie) => ({
      data: fc.oneof({ maxDepth: 4 }, value, fc.array(tie('data')), fc.dictionary(field, tie('data'))),
    }))
    fc.assert(
      fc.property(data, fc.option(fc.string(), { nil: undefined }), (each, event) => {
        const status = statusOfError(each, event)
        assert.ok(status === undefined || (Number.isInteger(status) && status >= 400 && status <= 599))
      }),
      { numRuns: 1000 },
    )
  })
})
