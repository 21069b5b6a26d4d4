import { mutationsOf } from '../mutation.js'

/** What is sent once more, and which connection it goes by. */
export const retry = mutationsOf(
  'retry',
  ['test/e2e/usage-refused.test.ts'],
  [
    [
      'failed.isStale(cause) && isReplayable &&',
      'failed.isStale(cause) &&',
      'test/handle/request-dispatch.test.ts',
      'test/e2e/retry.test.ts',
    ],
    ['this.#needsNewConnection = true\n', '\n', 'test/handle/request-dispatch.test.ts', 'test/e2e/retry.test.ts'],
    [
      'const isAtOnce = performance.now() - this.#openedAt < STALE_WITHIN_MS',
      'const isAtOnce = true',
      'test/e2e/retry.test.ts',
      'test/upstream/attempt.test.ts',
    ],
    [
      'reusedSocket === true && socket?.bytesRead === this.#bytesReadBefore',
      'reusedSocket === true',
      'test/e2e/retry.test.ts',
      'test/upstream/attempt.test.ts',
    ],
    [
      'isBreak && isAtOnce && reusedSocket === true &&',
      'isBreak && isAtOnce &&',
      'test/e2e/retry.test.ts',
      'test/upstream/attempt.test.ts',
    ],
    [
      'if (start && namesUsageRequest(start, this.#exchange.format) && isAwaited(this.#exchange))',
      'if (start && isAwaited(this.#exchange))',
    ],
    [
      'if (start && namesUsageRequest(start, this.#exchange.format) && isAwaited(this.#exchange))',
      'if (start && namesUsageRequest(start, this.#exchange.format))',
    ],
    ['this.#hidesUsage = false\n', '\n'],
    [
      'if (this.#isUsageRetry && statusCode < 400) this.#provider.usageRefusals.add',
      'if (this.#isUsageRetry) this.#provider.usageRefusals.add',
    ],
    [
      'return isObject(json) && json.stream === true && !hasOptions',
      'return isObject(json) && json.stream === true',
      'test/e2e/usage-refused.test.ts',
      'test/request/include-usage.test.ts',
    ],
    [
      'if (!this.#request) this.#events.onBodyDone()',
      'this.#events.onBodyDone()',
      'test/e2e/held-bodies.test.ts',
      'test/handle/request-dispatch.test.ts',
    ],
    [
      'if (this.#isSent) this.#events.onBodyDone()',
      '',
      'test/e2e/held-bodies.test.ts',
      'test/handle/request-dispatch.test.ts',
    ],
    [
      'this.#upstream.shouldKeepAlive = false',
      '',
      'test/e2e/connections.test.ts',
      'test/e2e/smuggling.test.ts',
      'test/upstream/attempt.test.ts',
    ],
    [
      'this.#response?.readableEnded === true && this.#upstream?.writableFinished === true',
      'this.#response?.readableEnded === true',
      'test/e2e/connections.test.ts',
      'test/upstream/attempt.test.ts',
    ],
    [
      'if (head.indexOf(CR, lineStart) !== at - 1) return false',
      'if (head[at - 1] !== CR) return false',
      'test/upstream/connection.test.ts',
      'test/e2e/smuggling.test.ts',
    ],
    ['if (head.includes(TAB)) return false', '', 'test/upstream/connection.test.ts', 'test/e2e/smuggling.test.ts'],
    [
      'digit >= 0 && !this.#hasCR && this.#digits < MAX_DIGITS',
      'digit >= 0 && this.#digits < MAX_DIGITS',
      'test/upstream/chunk-joiner.test.ts',
    ],
    [
      '} else if (byte === LF && this.#hasCR && this.#size > 0) {',
      '} else if (byte === LF && this.#size > 0) {',
      'test/upstream/chunk-joiner.test.ts',
    ],
    [
      'this.isMalformed = bytes[from++] !== (this.#lineEndBytes-- === 2 ? CR : LF)',
      'this.isMalformed = bytes[from++] !== (this.#lineEndBytes-- === 2 ? CR : bytes[from - 1])',
      'test/upstream/chunk-joiner.test.ts',
    ],
  ],
)
