/** This package with a target that refuses every request, because it never cools: measures what the first failure costs. */
const { aiProxy } = require('express-ai-proxy')
const targetsAt = require('./refusing.cjs')
const serve = require('./serve.cjs')

const limits = { maxConcurrentExchanges: false }

serve((target) => {
  const ai = aiProxy({ targets: targetsAt(target), limits, onFinish: () => {} })
  return (req, res, next) => {
    ai.warm('refuses')
    ai(req, res, next)
  }
})
