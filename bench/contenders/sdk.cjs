/** What people write by hand: a loop over the `openai` SDK's stream that serialises each event again. */
const express = require('express')
const { OpenAI } = require('openai')
const serve = require('./serve.cjs')

const parse = express.json()

serve((target) => {
  const client = new OpenAI({ baseURL: `${target}/v1`, apiKey: 'sk-bench-00000000', maxRetries: 0 })
  const answer = async ({ body }, res) => {
    if (!body.stream) return res.json(await client.chat.completions.create(body))
    const events = await client.chat.completions.create(body)
    res.set({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }).flushHeaders()
    for await (const event of events) res.write(`data: ${JSON.stringify(event)}\n\n`)
    res.end('data: [DONE]\n\n')
  }
  return (req, res, next) => parse(req, res, (error) => (error ? next(error) : answer(req, res).catch(next)))
})
