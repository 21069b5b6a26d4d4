import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api'
import type { ExchangeRecord } from '../api/record.js'
import { seconds } from './figures.js'
import { errorTypeOf } from './genai-call.js'
import { uniformUsage } from './uniform-usage.js'

/**
 * Ends the span of a call with its outcome, and the app's labels.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md#inference
 */
export function endSpan(span: Span, record: ExchangeRecord, labels: Attributes): void {
  span.setAttributes({ ...labels, ...answerOf(record) })
  const errorType = errorTypeOf(record)
  if (errorType !== undefined) {
    span.setAttribute('error.type', errorType)
    span.setStatus({ code: SpanStatusCode.ERROR, ...(record.error !== undefined && { message: record.error }) })
  }
  span.end(record.startedAt + record.durationMs)
}

function answerOf(record: ExchangeRecord): Attributes {
  const { finishReason, firstTokenMs } = record
  const usage = uniformUsage(record)
  return {
    'gen_ai.response.model': record.responseModel,
    'gen_ai.response.id': record.responseId,
    'gen_ai.response.finish_reasons': finishReason === undefined ? undefined : [finishReason],
    'gen_ai.usage.input_tokens': usage?.inputTokens,
    'gen_ai.usage.output_tokens': usage?.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.cachedInputTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage?.cacheWriteTokens,
    'gen_ai.usage.reasoning.output_tokens': usage?.reasoningTokens,
    // The conventions have no names for these.
    'ai_proxy.usage.estimated': usage?.estimated || undefined,
    'ai_proxy.time_to_first_token': firstTokenMs === undefined ? undefined : seconds(firstTokenMs),
    'ai_proxy.outcome': record.outcome,
    'ai_proxy.limit': record.limit,
  }
}
