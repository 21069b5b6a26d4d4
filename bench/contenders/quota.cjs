/** This package with a quota in memory that has room for everything: measures what it costs. */
const { aiProxy } = require('express-ai-proxy')
const { quota } = require('express-ai-proxy/quota')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const identify = (req) => req.headers['x-tenant'] ?? 'nobody'
const limitsOf = ({ subject }) => [
  { key: `user:${subject.id}`, requests: 1e9, per: '1m' },
  { key: `user:${subject.id}`, tokens: 1e12, per: '1d' },
  { key: `user:${subject.id}`, concurrent: 1e6 },
]

serve((target) => aiProxy({ target, limits, identify, policies: [quota({ limits: limitsOf })], onFinish: () => {} }))
