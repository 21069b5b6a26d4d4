/** This package with identical requests that share one answer while it is under way. */
const { aiProxy } = require('express-ai-proxy')
const { memoryJournal } = require('express-ai-proxy/journal')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const cache = {
  journal: memoryJournal(),
  ttlMs: 3_600_000,
  scope: () => 'everybody',
  maxBytes: 8 * 1024 * 1024,
}

serve((target) => aiProxy({ target, limits, cache, joinIdentical: true }))
