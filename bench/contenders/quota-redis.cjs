/** The same as `quota`, in a Redis of this machine. */
const { aiProxy } = require('express-ai-proxy')
const { quota, redisStore } = require('express-ai-proxy/quota')
const limitsOf = require('./limits-of.cjs')
const startRedis = require('./redis.cjs')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const identify = (req) => req.headers['x-tenant'] ?? 'nobody'
const policy = quota({ store: redisStore({ client: startRedis() }), limits: limitsOf, storeTimeoutMs: 30_000 })

serve((target) => aiProxy({ target, limits, identify, policies: [policy], onFinish: () => {} }))
