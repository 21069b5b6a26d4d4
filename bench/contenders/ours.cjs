/** This package as built, with every limit but the concurrency at its default, every answer metered and every record kept. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const records = []
const limits = { maxConcurrentExchanges: false }

/** Output tokens of all records so far, reported or estimated: shows that metering worked. */
const outputTokens = () => records.reduce((sum, { usage }) => sum + (usage?.outputTokens ?? 0), 0)

serve((target) => aiProxy({ target, limits, onFinish: (record) => records.push(record) }), { outputTokens })
