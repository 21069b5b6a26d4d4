/** This package as it is built, every limit at its default, and every record kept. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const records = []

serve((target) => aiProxy({ target, onFinish: (record) => records.push(record) }))
