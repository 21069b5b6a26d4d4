/** What people write by hand: `fetch`, with its body piped into the response. It does not notice that a client leaves. */
const { Readable } = require('node:stream')
const serve = require('./serve.cjs')

/** Headers that describe the connection, or an encoding that `fetch` has decoded. */
const NOT_PASSED = ['connection', 'content-encoding', 'keep-alive', 'transfer-encoding']

serve((target) => async (req, res) => {
  const { authorization, 'content-type': type } = req.headers
  const answer = await fetch(target + req.url, {
    method: req.method,
    headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
    body: req,
    duplex: 'half',
  })
  res.status(answer.status)
  for (const [name, value] of answer.headers) if (!NOT_PASSED.includes(name)) res.setHeader(name, value)
  Readable.fromWeb(answer.body).pipe(res)
})
