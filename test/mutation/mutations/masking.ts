import { mutationsOf } from '../mutation.js'

/** The provider's key, wherever it may come back. */
export const masking = mutationsOf(
  'masking',
  ['test/util/secrets.test.ts', 'test/response/masking.test.ts'],
  [
    [
      'return text.length >= MIN_LENGTH && !PLACEHOLDER.test(text)',
      'return text.length > MIN_LENGTH && !PLACEHOLDER.test(text)',
    ],
    ['return text.length >= MIN_LENGTH && !PLACEHOLDER.test(text)', 'return text.length >= MIN_LENGTH'],
    ['return [...all, ...lower, encodeURIComponent(percent)]', 'return [...all, ...lower]'],
    ['return [...all, ...lower, encodeURIComponent(percent)]', 'return [...all, encodeURIComponent(percent)]'],
    [
      "return [text, text.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(text)]",
      'return [text, encodeURIComponent(text)]',
    ],
    ['.sort((one, other) => other.length - one.length)', ''],
    [
      'const last = bytes.subarray(Math.max(0, bytes.length - longest + 1))',
      'const last = bytes.subarray(Math.max(0, bytes.length - longest + 2))',
    ],
    ['const reach = this.#secrets.longest - 1', 'const reach = this.#secrets.longest - 2'],
    [
      'while (first > 0 && before < reach) before += pieces[--first]!.length',
      'if (first > 0 && before < reach) before += pieces[--first]!.length',
    ],
    [
      "if (typeof value === 'string') headers[name] = secrets.mask(value)",
      "if (typeof value === 'string') headers[name] = value",
      'test/response/masking.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      'else if (Array.isArray(value)) headers[name] = value.map((each) => secrets.mask(each))',
      '',
      'test/response/response-plan.test.ts',
      'test/response/masking.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      'error: failure && truncateMessage(exchange.secrets.mask(failure.message + cause)),',
      'error: failure && truncateMessage(failure.message + cause),',
      'test/exchange/exchange.test.ts',
      'test/e2e/credentials.test.ts',
      'test/e2e/said-errors.test.ts',
    ],
    [
      'this.#eventOf(exchange.secrets.maskBytes(body), plan.providerStatus, isReadable)',
      'this.#eventOf(body, plan.providerStatus, isReadable)',
      'test/response/response-controller.opened-early.test.ts',
      'test/response/masking.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      '{secrets.mask(said)}`',
      '{said}`',
      'test/response/response-controller.failures.test.ts',
      'test/response/masking.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      'const mayChange = (isReadable && exchange.asksForStream) || (isText && !exchange.secrets.isEmpty)',
      'const mayChange = isReadable && exchange.asksForStream',
      'test/response/response-plan.test.ts',
      'test/response/response-head.test.ts',
      'test/response/masking.test.ts',
    ],
    ['if (compiled.size >= MAX_COMPILED) compiled.clear()', '', 'test/util/secrets.test.ts'],
    [
      'return providerRequestId && secrets.mask(providerRequestId).slice(0, MAX_REQUEST_ID_LENGTH)',
      'return providerRequestId && secrets.mask(providerRequestId.slice(0, MAX_REQUEST_ID_LENGTH))',
      'test/exchange/exchange.test.ts',
    ],
  ],
)
