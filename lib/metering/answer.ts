import type { Format } from '../formats/index.js'
import { isObject, parsedJson } from '../json.js'
import { TopLevelScanner } from '../top-level-scanner.js'
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

/** A JSON answer that is no stream: it passes as it is, and is read when it is whole. */
export class PlainAnswer implements Metering {
  readonly #format: Format
  readonly #findings: Findings
  #bytes = 0
  /** What has come of an answer that is not large yet. */
  #chunks: Buffer[] = []
  #large: LargeAnswer | undefined

  constructor(format: Format, findings: Findings) {
    this.#format = format
    this.#findings = findings
  }

  pass(bytes: Buffer): Buffer {
    this.#bytes += bytes.length
    if (this.#bytes <= PARSED_WHOLE_BYTES) {
      this.#chunks.push(bytes)
    } else {
      this.#large ??= new LargeAnswer(this.#chunks)
      this.#large.push(bytes)
      this.#chunks = []
    }
    return bytes
  }

  finish(now: number): void {
    const answer = this.#large ? this.#large.fields : this.#parsed()
    this.#large = undefined
    this.#chunks = []
    if (!isObject(answer)) return
    const { text, ...reading } = this.#format.readAnswer(answer)
    this.#findings.note(reading, now)
  }

  #parsed(): unknown {
    const chunks = this.#chunks
    return parsedJson((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString())
  }
}

/** Each chunk is looked through in its own turn, so that megabytes neither pile up nor hold the event loop at the end. */
class LargeAnswer {
  readonly #fields: Record<string, unknown> = Object.create(null)
  readonly #scanner = new TopLevelScanner(FIELDS, this.#fields)

  constructor(chunks: readonly Buffer[]) {
    for (const chunk of chunks) this.push(chunk)
  }

  push(chunk: Buffer): void {
    this.#scanner.push(chunk)
  }

  /** Of a whole object, those that matter. */
  get fields(): Record<string, unknown> | undefined {
    return this.#scanner.isWhole ? this.#fields : undefined
  }
}
