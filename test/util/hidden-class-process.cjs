// Prints whether requests, and responses, share hidden classes behind the middleware. Runs with --allow-natives-syntax.
const { once } = require('node:events')
const { createServer } = require('node:http')
const express = require('express')
const { aiProxy } = require('../../lib/index.ts')

/** V8's own function, in words that other tools can read. */
const haveSameHiddenClass = new Function('one', 'other', 'return %HaveSameMap(one, other)')

const seen = []

async function main() {
  const provider = createServer((req, res) => req.resume().on('end', () => res.end('{}'))).listen(0, '127.0.0.1')
  await once(provider, 'listening')
  const app = express()
  const target = `http://127.0.0.1:${provider.address().port}`
  app.use('/ai', aiProxy({ target, onFinish: (_record, { req }) => seen.push(req) }))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}/ai/v1/chat/completions`
  const headers = { 'content-type': 'application/json' }
  for (let sent = 0; sent < 9; sent++) await (await fetch(url, { method: 'POST', headers, body: '{}' })).text()
  const [, ...all] = seen
  for (const each of all) each.added = 1
  // Node may treat single ones in another way, if they wait for it. Without the middleware's help, no two share theirs.
  const share = (list) => list.some((each, at) => at > 0 && haveSameHiddenClass(list[at - 1], each))
  console.log(JSON.stringify({ requests: share(all), responses: share(all.map(({ res }) => res)) }))
  process.exit()
}

main()
