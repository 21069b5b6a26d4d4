import { type Attributes, type Context, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { AttemptRecord } from '../api/attempt-record.js'
import type { ObservedAttempt } from '../api/observer.js'
import { attemptReason } from './attempt-reason.js'
import { seconds } from './figures.js'
import { serverOf } from './genai-names.js'

/**
 * Starts the span of an attempt. It has no `gen_ai.operation.name`: whoever counts calls by it would count a call and each
 * of its attempts.
 */
export function startAttemptSpan(tracer: Tracer, attempt: ObservedAttempt, parent: Context): Span {
  const { target, host, model, number, hedged, startedAt } = attempt
  const { address, port } = serverOf(host)
  const attributes: Attributes = {
    'server.address': address,
    'server.port': port,
    'gen_ai.request.model': model,
    // The conventions have no names for these.
    'ai_proxy.target': target,
    'ai_proxy.attempt.number': number,
    'ai_proxy.attempt.hedged': hedged || undefined,
  }
  return tracer.startSpan(`attempt ${target}`, { kind: SpanKind.CLIENT, startTime: startedAt, attributes }, parent)
}

/** Codes of attempts that were given up without any fault of their targets. */
const GIVEN_UP: ReadonlySet<string> = new Set(['outrun', 'abandoned'])

/** Ends the span of an attempt. */
export function endAttemptSpan(span: Span, attempt: AttemptRecord): void {
  const { status, startedAt, ms, firstTokenMs } = attempt
  const reason = attemptReason(attempt)
  span.setAttributes({
    'http.response.status_code': status,
    'ai_proxy.attempt.reason': reason,
    'ai_proxy.time_to_first_token': firstTokenMs === undefined ? undefined : seconds(firstTokenMs),
  })
  if (reason !== 'ok' && reason !== 'none' && !GIVEN_UP.has(reason)) {
    span.setAttribute('error.type', reason)
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end(startedAt + ms)
}
