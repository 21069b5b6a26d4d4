import type { Config } from '../config.js'
import { debug } from '../debug.js'
import type { Exchange } from '../exchange.js'
import type { Framing } from '../framing/index.js'
import { isObject } from '../json.js'
import { tendsPromise } from '../promises.js'
import { PlainAnswer } from './answer.js'
import { type Metering, Passage } from './passage.js'

export type { Metering } from './passage.js'

/**
 * What is done with an answer as it passes.
 *
 * @param framing of a stream
 * @param isJson it is a JSON answer, and no stream
 */
export function meteringFor(
  exchange: Exchange,
  framing: Framing | undefined,
  isJson: boolean,
  config: Config,
): Metering | undefined {
  const { format, findings, hidesUsage } = exchange
  const { estimateTokens, limits, onEvent } = config
  if (!framing) return isJson ? new PlainAnswer(format, findings, estimateTokens) : undefined
  const seenBy = onEvent && exchange.hookView()
  return new Passage(format, framing, findings, {
    noticesContent: Math.min(limits.firstTokenTimeoutMs, limits.progressTimeoutMs) < Number.POSITIVE_INFINITY,
    sent: exchange.sent,
    hidesUsage,
    estimateTokens,
    onMessage:
      onEvent &&
      ((message, data) => {
        // Its type says what the format's events look like, which only the app can check.
        const event = { format: format.name, event: message.event, data } as Parameters<typeof onEvent>[0]
        const replaced = onEvent(event, seenBy!)
        if (replaced === undefined || replaced === null) return replaced as undefined | null
        const isPromise = tendsPromise(replaced, (error) => debug.stream('onEvent threw: %O', error))
        const text = isObject(replaced) && !isPromise ? JSON.stringify(replaced.data) : undefined
        if (text === undefined) throw new TypeError('onEvent returns nothing, null, or an object whose `data` is JSON')
        return { ...message, event: (replaced as { event?: string }).event ?? message.event, data: text }
      }),
  })
}
