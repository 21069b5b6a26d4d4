/** This package with a quota in memory that has room for everything: measures what it costs. */
const { aiProxy } = require('express-ai-proxy')
const { quota } = require('express-ai-proxy/quota')
const limitsOf = require('./limits-of.cjs')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const identify = (req) => req.headers['x-tenant'] ?? 'nobody'

serve((target) => aiProxy({ target, limits, identify, policies: [quota({ limits: limitsOf })], onFinish: () => {} }))
