import type { OnEvent } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Metering } from '../exchange/metering.js'
import { asksForState, asksModelAt, downloadsFile } from '../formats/index.js'
import type { Framing, Message } from '../framing/index.js'
import { isObject } from '../json/json.js'
import { JsonResponseMeter } from '../metering/json-response-meter.js'
import { modelAliasFor } from '../metering/model-alias.js'
import { StreamMeter } from '../metering/stream-meter.js'
import type { Config } from '../options/config.js'
import type { TokensOf } from '../options/estimate-tokens.js'
import { type HookErrors, HookFault } from '../options/hook-errors.js'
import { ignoreRejection } from '../util/promises.js'
import { kindOf, shown } from '../util/shown.js'
import { ACCEPTED } from './preamble-json.js'

/**
 * Creates what meters an answer as it passes.
 *
 * @param framing of a stream
 * @param isJson it is a JSON answer that is not a stream
 */
export function meteringFor(
  exchange: Exchange,
  framing: Framing | undefined,
  isJson: boolean,
  config: Config,
): Metering | undefined {
  const { format, answer, limits, recorder } = exchange
  // Whoever reads later may get what this client does not.
  const hidesUsage = exchange.hidesUsage && !recorder?.showsUsage
  const { onEvent } = config
  const estimateTokens = estimateFor(exchange, config)
  const { client, path, asksForStream } = exchange
  if (downloadsFile(client.method, path)) return undefined
  const isState = asksForState(client.method, path, format, asksForStream)
  if (!framing) {
    const asksModel = exchange.providerStatus !== ACCEPTED && asksModelAt(client.method, path, format)
    const known = exchange.attempts.current?.takeReading()
    return isJson ? new JsonResponseMeter(format, answer, { estimateTokens, asksModel, isState, known }) : undefined
  }
  return new StreamMeter(format, framing, answer, {
    noticesContent: Math.min(limits.firstTokenTimeoutMs, limits.progressTimeoutMs) < Number.POSITIVE_INFINITY,
    isState,
    hasSeveralChoices: exchange.choicesAsked > 1,
    sent: exchange.traffic.downstream,
    hidesUsage,
    estimateTokens,
    alias: modelAliasFor(format, exchange.answerAlias),
    onMessage: onEvent && messageHook(onEvent, exchange, config.hookErrors),
  })
}

/** Binds the app's `estimateTokens` to an exchange. */
function estimateFor(exchange: Exchange, { estimateTokens }: Config): TokensOf | undefined {
  if (!estimateTokens) return undefined
  const view = exchange.hookView()
  return (text, model = view.model) => estimateTokens({ text, model }, view)
}

/** Wraps `onEvent` as a function that reads and replaces the messages of a stream. */
function messageHook(onEvent: OnEvent, exchange: Exchange, hookErrors: HookErrors) {
  const view = exchange.hookView()
  const onMessage = (message: Message, data: unknown): Message | undefined | null => {
    // The type describes the format's events, which only the app can check.
    const event = { format: exchange.format.name, event: message.event, data } as Parameters<OnEvent>[0]
    const replaced: unknown = onEvent(event, view)
    if (replaced === undefined || replaced === null) return replaced
    // The promise itself is the reported fault.
    const isPromise = ignoreRejection(replaced)
    const text = isObject(replaced) && !isPromise ? jsonOf(replaced.data) : undefined
    if (text === undefined) {
      const got = isPromise || !isObject(replaced) ? kindOf(replaced) : `{ data: ${kindOf(replaced.data)} }`
      throw new HookFault(`onEvent must return nothing, null, or an object with JSON as its \`data\`; got ${got}`)
    }
    const { event: name } = replaced as { event?: unknown }
    if (name !== undefined && name !== null && typeof name !== 'string') {
      throw new HookFault(`onEvent must return a string as its \`event\`, or none; got ${shown(name)}`)
    }
    // The provider may have escaped a secret in a way that is not searched for, which parsing has undone.
    return { ...message, event: name ?? message.event, data: exchange.secrets.mask(text) }
  }
  return hookErrors.reporting('onEvent', onMessage, () => view)
}

function jsonOf(data: unknown): string | undefined {
  try {
    return JSON.stringify(data)
  } catch (cause) {
    throw new HookFault('onEvent returned `data` that cannot be written as JSON', { cause })
  }
}
