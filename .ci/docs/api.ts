/**
 * Everything that the package exports, from its docstrings: change those in `lib/`, then run `npm run docs`. The README
 * says what it is for.
 *
 * @module
 */
export * from '../../lib/client.js'
export * from '../../lib/index.js'
export * from '../../lib/journal.js'
export * from '../../lib/opentelemetry.js'
export * from '../../lib/prices.js'
export * from '../../lib/prometheus.js'
export * from '../../lib/queue.js'
export * from '../../lib/quota.js'
