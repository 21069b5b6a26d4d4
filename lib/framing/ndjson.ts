import { isJsonSpace, skipJsonSpace } from '../json/whitespace.js'
import { BaseFramer } from './base-framer.js'
import type { Framing } from './framing.js'

const LF = 10

/**
 * Splits newline-delimited JSON between its lines. A CR before an LF is white space at the end of its line, as in JSON.
 *
 * https://github.com/ndjson/ndjson-spec, https://jsonlines.org
 */
export class NdjsonFramer extends BaseFramer {
  readonly carriesMessages = true
  // JSON has no comments, and a reader may reject blank lines, so nothing can serve as a heartbeat.
  readonly heartbeat = undefined

  /** The current line has only white space so far. */
  #isBlank = true

  protected scan(chunk: Buffer, from: number): void {
    let lineStart = from
    for (;;) {
      const lf = chunk.indexOf(LF, lineStart)
      const lineEnd = lf === -1 ? chunk.length : lf
      if (this.#isBlank) this.#isBlank = skipJsonSpace(chunk, lineStart, lineEnd) === lineEnd
      if (lf === -1) return
      const isEvent = !this.#isBlank
      this.#isBlank = true
      lineStart = lf + 1
      if (!this.endFrame(lineStart, isEvent)) return
    }
  }

  protected finish(): void {
    if (this.pending.bytes > 0) this.emitRest('\n', !this.#isBlank)
  }
}

/** One JSON value per line. */
export const ndjson: Framing = {
  name: 'ndjson',
  contentType: 'application/x-ndjson',
  mediaTypes: [
    ...['application/x-ndjson', 'application/ndjson', 'text/x-ndjson'],
    ...['application/jsonl', 'application/jsonlines', 'application/x-jsonlines', 'application/stream+json'],
  ],
  createFramer: (maxEventBytes) => new NdjsonFramer(maxEventBytes),
  read(line) {
    const from = skipJsonSpace(line, 0)
    if (from === line.length) return undefined
    let to = line.length
    while (isJsonSpace(line[to - 1])) to--
    return { data: line.toString('utf8', from, to) }
  },
  // Within a JSON text, a line break can only be white space.
  write: ({ data }) => Buffer.from(`${data.replace(/[\r\n]+/g, ' ')}\n`),
}
