import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type CompleteFormat, getFormat } from '../../lib/formats/index.js'
import { type Framing, sse } from '../../lib/framing/index.js'
import { StreamMeter, type StreamMeterOptions } from '../../lib/metering/stream-meter.js'

export interface Given extends Partial<StreamMeterOptions> {
  format?: CompleteFormat
  framing?: Framing
  /** The answer does not come to its end. */
  isTruncated?: boolean
}

/** What comes out of a passage, turn by turn, and what was found. */
export interface Passed {
  readonly turns: (Buffer | undefined)[]
  readonly out: string
  readonly accumulator: UsageAccumulator
  readonly failure: StreamMeter['failure']
}

/** Takes a stream through a framer and a passage, each chunk in a turn of its own, at the times 1, 2, 3, … */
export function passed(chunks: readonly (string | Buffer)[], given: Given = {}): Passed {
  const { format = getFormat('openai-chat'), framing = sse, isTruncated = false } = given
  const { sent = { bytes: 0 }, hidesUsage = false, estimateTokens, onMessage } = given
  const accumulator = new UsageAccumulator()
  const passage = new StreamMeter(format, framing, accumulator, { sent, hidesUsage, estimateTokens, onMessage })
  const framer = framing.createFramer(Number.POSITIVE_INFINITY)
  const turns: (Buffer | undefined)[] = []
  const pass = (frames: Buffer | undefined) => {
    if (!frames) return
    const now = turns.length + 1
    turns.push(passage.pass(frames, framer.ends, now))
    passage.readDeferred(now)
  }
  for (const chunk of chunks) pass(framer.push([Buffer.from(chunk)]))
  if (!isTruncated) pass(framer.end())
  passage.finish(turns.length + 1)
  const out = Buffer.concat(turns.filter((turn) => turn !== undefined)).toString('latin1')
  return { turns, out, accumulator, failure: passage.failure }
}

/** A server-sent event without a name, with this as its data. */
export const event = (data: unknown) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

/** An event of OpenAI's chat completions. */
export function chunk(content: string, more: object = {}): string {
  const head = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-2026' }
  return event({ ...head, choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more })
}

/** The event with which OpenAI tells usage, where it was asked to. */
export function usageEvent(completion: number, more: object = {}): string {
  const usage = { prompt_tokens: 9, completion_tokens: completion, total_tokens: 9 + completion }
  return event({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'gpt-5-2026',
    choices: [],
    usage,
    ...more,
  })
}

export const stop = event({ id: 'c1', model: 'gpt-5-2026', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
export const DONE = event('[DONE]')
