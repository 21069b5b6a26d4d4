import { mutationsOf } from '../mutation.js'

/** What the frames of an answer tell. */
export const metering = mutationsOf(
  'metering',
  ['test/metering/stream-meter.whole.test.ts'],
  [
    [
      'if (hidesUsage && reading.isUsageOnly && reading.error === undefined) return EMPTY',
      'if (hidesUsage && reading.isUsageOnly) return EMPTY',
      'test/metering/stream-meter.test.ts',
      'test/exchange/usage-accumulator.test.ts',
    ],
    [
      'whole === undefined || whole.id === id || this.#estimate.tokens > tokens ? undefined : whole.text',
      'whole === undefined || whole.id === id ? undefined : whole.text',
    ],
    [
      'whole === undefined || whole.id === id || this.#estimate.tokens > tokens ? undefined : whole.text',
      'whole === undefined || this.#estimate.tokens > tokens ? undefined : whole.text',
    ],
    [
      'return this.#droppedFirst ? this.#framing.asFirst(seen) : seen',
      'return seen',
      'test/metering/stream-meter.test.ts',
      'test/metering/stream-meter.hooks.test.ts',
      'test/e2e/framings.test.ts',
    ],
    [
      'return reported + Math.round(this.estimatedTokens - this.#estimateWhenReported)',
      'return reported + Math.round(this.estimatedTokens)',
      'test/exchange/usage-accumulator.test.ts',
    ],
    [
      'const isFinal = this.#isReportedAtEnd || this.estimatedTokens === this.#estimateWhenReported',
      'const isFinal = true',
      'test/exchange/usage-accumulator.test.ts',
      'test/exchange/exchange.test.ts',
    ],
    [
      'isComplete && isReported && isFinal && this.error === undefined',
      'isComplete && isReported && isFinal',
      'test/exchange/usage-accumulator.test.ts',
      'test/exchange/exchange.test.ts',
      'test/e2e/usage.test.ts',
      'test/e2e/reporting.test.ts',
    ],
    ['index < 0 || index >= MAX_CHOICES', 'index < 0', 'test/exchange/usage-accumulator.test.ts'],
    [
      'this.#hasLast || (this.finishReason !== undefined && this.#choices.haveEnded)',
      'this.#hasLast || this.finishReason !== undefined',
      'test/exchange/usage-accumulator.test.ts',
      'test/metering/stream-meter.test.ts',
      'test/e2e/truncated.test.ts',
    ],
    [
      'return knowsNone ? { ...usage, outputTokens: this.usage?.outputTokens ?? 0 } : usage',
      'return usage',
      'test/exchange/usage-accumulator.test.ts',
      'test/metering/stream-meter.test.ts',
      'test/formats/cohere.test.ts',
    ],
    [
      'while (this.#frames.length > MAX_FRAMES || (this.#bytes > MAX_BYTES && this.#frames.length > 1)) {',
      'while (this.#frames.length > MAX_FRAMES) {',
      'test/metering/last-frames.test.ts',
    ],
    [
      'return found === -1 ? indexes : [...indexes, ...lastContaining(frames, ends, marker, at)]',
      'return indexes',
      'test/metering/frames-containing.test.ts',
    ],
    ['...this.#locations.slice(0, MAX_LOCATIONS - 1)', '...this.#locations', 'test/metering/estimate.test.ts'],
    [
      'if (this.#bytes <= MAX_PARSED_BYTES) {',
      'if (this.#bytes < MAX_PARSED_BYTES) {',
      'test/metering/json-response-meter.large.test.ts',
      'test/metering/json-response-meter.test.ts',
    ],
    [
      'if (text && output === undefined) this.#accumulator.estimatedTokens',
      'if (text) this.#accumulator.estimatedTokens',
      'test/metering/json-response-meter.test.ts',
    ],
    ['if (ms > this.#maxTurnMs) this.#maxTurnMs = ms', 'this.#maxTurnMs = ms', 'test/exchange/exchange.test.ts'],
    [
      'return { responseId, model: this.answerAlias ?? model ?? this.#model, nextSequenceNumber: sequenceNumber + 1 }',
      'return { responseId, model: this.answerAlias ?? model ?? this.#model, nextSequenceNumber: sequenceNumber }',
      'test/response/failure-response.test.ts',
      'test/exchange/exchange.test.ts',
      'test/e2e/endings.test.ts',
      'test/response/response-controller.failures.test.ts',
    ],
  ],
)
