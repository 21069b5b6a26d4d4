/** The same as `resume`, kept in a Redis of this machine. */
const { aiProxy } = require('express-ai-proxy')
const { redisJournal } = require('express-ai-proxy/journal')
const startRedis = require('./redis.cjs')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const resume = { journal: redisJournal({ client: startRedis(), timeoutMs: 30_000 }), who: () => 'somebody' }

serve((target) => aiProxy({ target, limits, resume }))
