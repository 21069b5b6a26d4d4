/** This package with two healthy targets, both the benchmark's provider: measures what routing costs. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const targetsAt = (target) => ['one', 'other'].map((name) => ({ name, target }))

serve((target) => aiProxy({ targets: targetsAt(target), limits, onFinish: () => {} }))
