/** This package with a tenant for each kind of stream: measures what fairness among tenants gives a chat beside bursts. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const identify = (req) => req.headers['x-tenant'] ?? 'nobody'

serve((target) => aiProxy({ target, limits, identify, onFinish: () => {} }))
