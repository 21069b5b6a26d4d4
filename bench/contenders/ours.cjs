/** This package as built, with every limit but the concurrency at its default, every answer metered and every record read. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
/** Output tokens of all records so far, reported or estimated: shows that metering worked. */
let tokens = 0
// Kept records would be a heap that grows with the number of requests.
const onFinish = ({ usage }) => {
  tokens += usage?.outputTokens ?? 0
}

serve((target) => aiProxy({ target, limits, onFinish }), { outputTokens: () => tokens })
