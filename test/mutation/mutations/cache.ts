import { mutationsOf } from '../mutation.js'

const CACHE = 'test/e2e/journal/cache.test.ts'
const PROMISES = 'test/e2e/journal/promises.test.ts'
const NOT_KEPT = 'test/e2e/journal/not-kept.test.ts'

/** Which answers are kept, and who gets them. */
export const cache = mutationsOf(
  'cache',
  [CACHE, NOT_KEPT, PROMISES],
  [
    ['const mayStore = said ?? temperatureOf(json) === 0', 'const mayStore = said ?? true'],
    ['if (hasRepeatedNames(text)) return undefined', ''],
    ["if (control.has('no-store') || client.method !== 'POST')", "if (client.method !== 'POST')"],
    ["mayRead: !control.has('no-cache')", 'mayRead: true'],
    ['if (asksForUsage && !found.hasUsage) return false', ''],
    ["if (end.how !== 'complete' || exchange.isReplaced || !head", "if (end.how !== 'complete' || !head"],
    ['recorder.bytes <= cache.maxBytes && !tools.hasCall', 'recorder.bytes <= cache.maxBytes'],
    ['recorder.bytes <= cache.maxBytes && !tools.hasCall', '!tools.hasCall'],
    [
      'return hashOf([scope, targets, path, query, sent.sort(), relevant, stream])',
      'return hashOf([targets, path, query, sent.sort(), relevant, stream])',
    ],
    [
      "if (typeof inner === 'number' && isRounded(inner)) throw new RangeError('a number is too large')",
      '',
      'test/journal/cache-key.test.ts',
    ],
  ],
)
