/** This package as it is built, every limit at its default but how many may be under way, every answer metered, and every record kept. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const records = []
const limits = { maxConcurrentExchanges: false }

/** Output tokens of all records so far, told or estimated: what metering has made of what passed. */
const outputTokens = () => records.reduce((sum, { usage }) => sum + (usage?.outputTokens ?? 0), 0)

serve((target) => aiProxy({ target, limits, onFinish: (record) => records.push(record) }), { outputTokens })
