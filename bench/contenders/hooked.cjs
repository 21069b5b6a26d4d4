/** This package with an `onEvent` hook that reads every event and changes none: measures what `onEvent` costs. */
const { aiProxy } = require('express-ai-proxy')
const serve = require('./serve.cjs')

let events = 0
const limits = { maxConcurrentExchanges: false }
const onEvent = () => {
  events += 1
}

serve((target) => aiProxy({ target, limits, onEvent }), { outputTokens: () => events })
