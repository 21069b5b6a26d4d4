import type { IncomingMessage } from 'node:http'
import { UsageAccumulator } from '../exchange/usage-accumulator.js'
import { asksForState, asksModelAt, mayReportError, statusOfError } from '../formats/index.js'
import { PendingBytes } from '../framing/pending-bytes.js'
import { isUnfinishedJson, tryParseJsonBytes } from '../json/json.js'
import { JsonResponseMeter, MAX_TEXT_BYTES } from '../metering/json-response-meter.js'
import { isExpensiveToParse } from '../metering/parse-cost.js'
import { BOUND, END, type InspectedExchange, type Inspection, TRUNCATED, type Verdict } from './inspection.js'

/** The head of an answer. */
type Head = Pick<IncomingMessage, 'statusCode' | 'headers'>
type InspectedRequest = Pick<InspectedExchange, 'format' | 'client' | 'path' | 'asksForStream' | 'secrets'>

/** The answer follows elsewhere. */
export const ACCEPTED = 202

/** Looks into a JSON answer, of which only the whole shows whether it is an error. */
export class JsonInspection implements Inspection {
  readonly #format: InspectedExchange['format']
  readonly #asksModel: boolean
  readonly #isState: boolean
  readonly #secrets: InspectedExchange['secrets']
  readonly #headers: Head['headers']
  readonly #body = new PendingBytes()
  #isLate = false

  constructor({ format, client, path, asksForStream, secrets }: InspectedRequest, head: Head) {
    this.#headers = head.headers
    this.#secrets = secrets
    this.#format = format
    this.#asksModel = head.statusCode !== ACCEPTED && asksModelAt(client.method, path, format)
    this.#isState = asksForState(client.method, path, format, asksForStream)
  }

  /** Some of the body may have arrived. Once the time is over, it is passed on as it arrives. */
  readonly hasBegun = true

  hurry(): void {
    this.#isLate = true
  }

  push(chunk: Buffer): Verdict | undefined {
    this.#body.append(chunk)
    return this.#isLate ? BOUND : undefined
  }

  end(now: number): Verdict {
    // What is read is handed on as it is read where it passes: without secrets.
    const whole = this.#secrets.maskBytes(this.#body.joined)
    // Nearly all large answers are none, which their bytes show. What an app's own format calls an error is not known.
    const isSmall = this.#asksModel && whole.length <= MAX_TEXT_BYTES
    const mayBeError = this.#format.isCustom || isSmall || mayReportError(whole)
    if (!mayBeError) return isUnfinishedJson(whole) ? TRUNCATED : END
    const answer = new UsageAccumulator()
    answer.add(this.#format.readHeaders(this.#headers), now)
    const meter = new JsonResponseMeter(this.#format, answer, { asksModel: this.#asksModel, isState: this.#isState })
    meter.pass(whole)
    meter.finish(now)
    if (answer.error === undefined) return answer.isTruncated ? TRUNCATED : { ...END, read: meter.result }
    const data = isExpensiveToParse(whole) ? undefined : tryParseJsonBytes(whole)
    return { kind: 'error-event', status: statusOfError(data), message: answer.error }
  }
}
