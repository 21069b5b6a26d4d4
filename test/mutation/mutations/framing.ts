import { mutationsOf } from '../mutation.js'

/** Bytes to whole frames. */
export const framing = mutationsOf(
  'framing',
  ['test/framing/sse.test.ts', 'test/framing/framers.test.ts'],
  [
    ['if (end - start > this.maxEventBytes) {', 'if (end - start >= this.maxEventBytes) {'],
    ['if (this.pending.bytes > this.maxEventBytes) this.tooLarge = true', ''],
    [
      'if (this.#lastEnd > 0) this.events--',
      '',
      'test/framing/framers.test.ts',
      'test/response/response-controller.test.ts',
      'test/response/response-stream.frames.test.ts',
    ],
    ['const from = heldBefore - this.pending.bytes', 'const from = 0', 'test/framing/linear.test.ts'],
    [
      "this.emitRest(this.#lineIsEmpty && !this.#afterCR ? '\\n' : '\\n\\n', this.#isEvent)",
      "this.emitRest('\\n\\n', this.#isEvent)",
    ],
    [
      "this.emitRest(this.#lineIsEmpty && !this.#afterCR ? '\\n' : '\\n\\n', this.#isEvent)",
      "this.emitRest(this.#lineIsEmpty ? '\\n' : '\\n\\n', this.#isEvent)",
    ],
    ['if (this.isBetweenFrames(at)) this.extendFrame(at + 1)', ''],
    ['if (this.isBetweenFrames(from)) this.extendFrame(lineStart)', ''],
    ['if (this.ends[last] === this.#lastEnd) this.#lastEnd = end', ''],
    ['if (this.#lineIsEmpty && byte !== COLON) this.#isEvent = true', 'if (this.#lineIsEmpty) this.#isEvent = true'],
    [
      'asContinuation: (frames) => (BOM.equals(frames.subarray(0, BOM.length)) ? frames.subarray(BOM.length) : frames),',
      'asContinuation: (frames) => frames,',
      'test/framing/sse.test.ts',
      'test/metering/stream-meter.test.ts',
      'test/e2e/heartbeat.test.ts',
    ],
    [
      'if (this.bytes > 0 && this.bytes <= size) return this.#release(chunks, size)',
      'if (this.bytes > 0) return this.#release(chunks, size)',
      'test/framing/linear.test.ts',
    ],
    [
      '} else if (headers > length - MIN_MESSAGE_BYTES) {',
      '} else if (headers > length) {',
      'test/framing/aws-event-stream.test.ts',
    ],
    [
      "if (this.pending.bytes > 0) this.corrupt = 'it ended in the middle of a message of its AWS event stream'",
      '',
      'test/framing/aws-event-stream.test.ts',
    ],
    ['this.isClosed = this.#floor === 1', 'this.isClosed = true', 'test/framing/json-array.test.ts'],
    [
      'return codec.decode(new Uint8Array(message))',
      'return codec.decode(message)',
      'test/framing/aws-event-stream.test.ts',
      'test/framing/aws-codec.test.ts',
    ],
  ],
)
