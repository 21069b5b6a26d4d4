import { mutationsOf } from '../mutation.js'

const SPLITTERS = 'test/client/splitters.test.ts'
const STOPPING = 'test/client/stopping.test.ts'

/** `express-ai-proxy/client`: streams that go on when their connection breaks. */
export const client = mutationsOf(
  'client',
  ['test/client/resuming.test.ts', 'test/client/cuts.property.test.ts'],
  [
    ['if (id.n <= n) return false', 'if (id.n < n) return false', SPLITTERS, 'test/client/resuming.test.ts'],
    ['if (epoch !== undefined && id.epoch !== epoch) {', 'if (false) {'],
    ['if (bytes || splitter.hasPending) {', 'if (bytes) {'],
    ["if (!this.#endsLikeBroken || (await this.#resumption.isOver())) return 'end'", "return 'end'"],
    ['if (isOpen(response)) return false', ''],
    ["headers.get(STATE) === 'lost' ? last > newest : last >= newest", 'last >= newest'],
    ['if (splitter.events > before) this.#resumption.onProgress()', ''],
    ['this.#context.splitter?.restart()', ''],
    [
      'if (byte === LF || !this.#lastWasCRLF) return this.#end(at + 1)',
      'return this.#end(at + 1)',
      SPLITTERS,
      'test/client/cuts.property.test.ts',
    ],
    ["if (options.onAbort === 'stop' && handle.url !== undefined)", 'if (handle.url !== undefined)', STOPPING],
    [
      'if (response.body && mediaTypeOf(response) === mediaType && id === handle.id) return response',
      'if (response.body) return response',
    ],
    [
      'return url?.origin === origin ? url.href : undefined',
      'return url?.href',
      'test/client/responses.test.ts',
      'test/client/resuming.test.ts',
      STOPPING,
    ],
    ["if (this.#askedMs > MAX_WAIT_MS) throw this.#error('wait_too_long', 'the server asks for too long a wait')", ''],
    [
      'const delayMs = Math.max(this.#askedMs, backoffMs(this.#attempts++, options.backoff, environment))',
      'const delayMs = backoffMs(this.#attempts++, options.backoff, environment)',
    ],
  ],
)
