import type { AttemptRecord } from '../../../lib/api/attempt-record.js'
import type { ExchangeRecord } from '../../../lib/api/record.js'
import { findFormat, tokensOf } from '../../../lib/formats/index.js'

const told = { inputTokens: 20, outputTokens: 11, totalTokens: 31, estimated: false }

/** The record of a streamed chat that went well; what is given replaces what it has. */
export function recordOf(given: Partial<ExchangeRecord> = {}): ExchangeRecord {
  const { usage = undefined, format = 'openai-chat' } = 'usage' in given ? given : { ...given, usage: told }
  return {
    id: 'exchange-1',
    outcome: 'completed',
    limit: undefined,
    code: undefined,
    error: undefined,
    method: 'POST',
    path: '/v1/chat/completions',
    model: 'gpt-4o',
    stream: true,
    status: 200,
    providerStatus: given.code === undefined ? (given.status ?? 200) : undefined,
    providerRequestId: undefined,
    format: 'openai-chat',
    responseModel: 'gpt-4o-2024-08-06',
    responseId: 'chatcmpl-1',
    finishReason: 'stop',
    usage: told,
    tokens: usage && tokensOf(usage, findFormat(format)!.counting),
    firstTokenMs: 400,
    outputTokensPerSecond: 44,
    subject: undefined,
    tenant: undefined,
    cost: undefined,
    costEstimated: false,
    cache: undefined,
    labels: {},
    target: 'api.openai.com',
    attempts: [],
    startedAt: 1_700_000_000_000,
    durationMs: 1500,
    firstByteMs: 200,
    requestBytes: 100,
    upstreamBytes: 5000,
    downstreamBytes: 5010,
    events: 12,
    turns: 3,
    busyMs: 1,
    maxTurnMs: 0.5,
    ...given,
  }
}

/** The record of an attempt that went well; what is given replaces what it has. */
export function attemptOf(given: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    target: 'api.openai.com',
    model: 'gpt-4o',
    status: 200,
    code: undefined,
    startedAt: 1_700_000_000_000,
    ms: 1500,
    firstTokenMs: undefined,
    hedged: false,
    ...given,
  }
}

/** What became of a request for a model that the provider does not have. */
export function unknownModelRecord(model: string): ExchangeRecord {
  return recordOf({
    model,
    outcome: 'provider_error',
    status: 404,
    providerStatus: 404,
    responseModel: undefined,
    responseId: undefined,
    usage: undefined,
  })
}
