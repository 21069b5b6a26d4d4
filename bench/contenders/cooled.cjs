/** This package with a target that refuses connections, and cools: measures what that costs every other request. */
const { aiProxy } = require('express-ai-proxy')
const targetsAt = require('./refusing.cjs')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }

serve((target) => aiProxy({ targets: targetsAt(target), limits, onFinish: () => {} }))
