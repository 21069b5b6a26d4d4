/** This package with streams that can be continued, kept in memory: measures what that costs. */
const { aiProxy } = require('express-ai-proxy')
const { memoryJournal } = require('express-ai-proxy/journal')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }
const resume = { journal: memoryJournal(), who: () => 'somebody' }

serve((target) => aiProxy({ target, limits, resume }))
