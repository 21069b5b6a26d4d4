import type { Format } from '../formats/index.js'
import { isObject, parsedJson } from '../json.js'
import { topLevelFields } from '../top-level.js'
import type { Findings } from './findings.js'
import type { Metering } from './passage.js'

/** Larger answers (embeddings by the thousand) are looked through for the fields that matter, not parsed. */
const PARSED_WHOLE_BYTES = 256 * 1024

/** The top-level fields from which any format reads. */
const FIELDS = [
  'id',
  'model',
  'usage',
  'status',
  'error',
  'message',
  'responseId',
  'modelVersion',
  'usageMetadata',
  'prompt_eval_count',
  'eval_count',
  'done_reason',
  'stopReason',
  'stop_reason',
  'finish_reason',
  'type',
  'x_groq',
  'incomplete_details',
  'prompt_token_count',
  'generation_token_count',
  'inputTextTokenCount',
]

/** Of a larger answer than this nothing is kept, and nothing known. */
const KEPT_BYTES = 16 * 1024 * 1024

/** A JSON answer that is no stream: it passes as it is, and is read when it is whole. */
export class PlainAnswer implements Metering {
  readonly #format: Format
  readonly #findings: Findings
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(format: Format, findings: Findings) {
    this.#format = format
    this.#findings = findings
  }

  pass(bytes: Buffer): Buffer {
    this.#bytes += bytes.length
    if (this.#bytes <= KEPT_BYTES) this.#chunks.push(bytes)
    else this.#chunks = []
    return bytes
  }

  finish(now: number): void {
    if (this.#chunks.length === 0) return
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = []
    const answer = whole.length > PARSED_WHOLE_BYTES ? topLevelFields(whole, FIELDS) : parsedJson(whole.toString())
    if (!isObject(answer)) return
    const { text, ...reading } = this.#format.readAnswer(answer)
    this.#findings.note(reading, now)
  }
}
