import { toOneLine, truncateMessage } from '../api/errors.js'
import type { ExchangeRecord, RecordedUsage } from '../api/record.js'
import { generatesAt, tokensOf } from '../formats/index.js'
import type { CostOf } from '../pricing/pricing.js'
import type { Exchange } from './exchange.js'

/** Providers' ids have some 40 characters. */
const MAX_REQUEST_ID_LENGTH = 200
const UNKNOWN_USAGE: RecordedUsage = { estimated: true }
const NO_LABELS = Object.freeze({})
const NO_TOKENS = tokensOf({}, { cache: 'inside', reasoning: 'inside' })

/**
 * Creates the record of an exchange that has ended.
 *
 * @param labels of the app's own
 * @param costOf prices what it used
 */
export function recordOf(
  exchange: Exchange,
  labels: ExchangeRecord['labels'] = NO_LABELS,
  costOf?: CostOf,
): ExchangeRecord {
  exchange.finishMetering()
  const { answer, failure } = exchange
  const { firstTokenAt } = answer
  const outcome = exchange.outcome ?? 'completed'
  const isComplete = exchange.isComplete || outcome === 'completed' || outcome === 'provider_error'
  const usage = answer.usageAt(isComplete) ?? (isComplete && lacksUsage(exchange) ? UNKNOWN_USAGE : undefined)
  // A kept answer is not generated now.
  const isGenerated = firstTokenAt !== undefined && exchange.cache !== 'hit'
  const generatingMs = isGenerated ? (answer.endedAt ?? performance.now()) - firstTokenAt : 0
  const cause =
    failure?.outcome === 'upstream_error' && failure.cause instanceof Error
      ? ` (${toOneLine(failure.cause.message)})`
      : ''
  const record: Priceless = {
    id: exchange.id,
    outcome,
    limit: failure?.limit,
    code: failure?.code,
    error: failure && truncateMessage(exchange.secrets.mask(failure.message + cause)),
    method: exchange.client.method,
    path: exchange.path,
    model: exchange.model,
    stream: exchange.asksForStream,
    status: exchange.res.headersSent ? exchange.res.statusCode : undefined,
    providerStatus: exchange.providerStatus,
    providerRequestId: providerRequestIdOf(exchange),
    format: exchange.format.name,
    responseModel: answer.model,
    responseId: answer.responseId,
    finishReason: answer.finishReason,
    usage,
    tokens: usage && (answer.tokensAt(isComplete, exchange.format.counting) ?? NO_TOKENS),
    firstTokenMs: firstTokenAt === undefined ? undefined : firstTokenAt - exchange.began,
    outputTokensPerSecond:
      generatingMs > 0 && usage?.outputTokens ? (usage.outputTokens / generatingMs) * 1000 : undefined,
    subject: exchange.subject?.id,
    tenant: exchange.subject?.tenant,
    cache: exchange.cache,
    labels: exchange.subject?.labels ? { ...(exchange.subject.labels as Record<string, string>), ...labels } : labels,
    target: exchange.attempts.current?.target,
    attempts: exchange.attempts.finish(attemptCode(exchange), firstTokenAt),
    startedAt: exchange.startedAt,
    durationMs: exchange.age,
    firstByteMs: exchange.firstByteMs,
    requestBytes: exchange.traffic.requestBytes,
    upstreamBytes: exchange.traffic.upstreamBytes,
    downstreamBytes: exchange.traffic.downstream.bytes,
    events: exchange.traffic.events,
    turns: exchange.traffic.turns,
    busyMs: exchange.traffic.busyMs,
    maxTurnMs: exchange.traffic.maxTurnMs,
  }
  const priced = withCost(record, costOf)
  if (!failure) return priced
  return Object.defineProperty(priced, 'cause', { value: failure.cause ?? failure.revealCause(), enumerable: false })
}

type Priceless = Omit<ExchangeRecord, 'cost' | 'costEstimated'>

function withCost(record: Priceless, costOf: CostOf | undefined): ExchangeRecord {
  if (!costOf) return Object.assign(record, { cost: undefined, costEstimated: false })
  // The provider was not asked.
  if (record.cache === 'hit' || record.cache === 'join') return Object.assign(record, { cost: 0, costEstimated: false })
  const { cost, isAssumed } = costOf(record)
  return Object.assign(record, { cost, costEstimated: isAssumed || record.usage?.estimated === true })
}

function providerRequestIdOf({ providerRequestId, secrets }: Exchange): string | undefined {
  return providerRequestId && secrets.mask(providerRequestId).slice(0, MAX_REQUEST_ID_LENGTH)
}

/** Returns why the attempt that served the client did not end well. */
function attemptCode({ outcome, failure }: Exchange): string | undefined {
  return outcome === 'client_disconnect' ? 'abandoned' : failure?.code
}

/** Returns whether the provider seems to have generated something without reporting usage. */
function lacksUsage({ client, path, format, providerStatus = 0, traffic }: Exchange): boolean {
  return traffic.upstreamBytes > 0 && providerStatus < 400 && generatesAt(client.method, path, format)
}
