/** What people write by hand: `fetch`, its body piped into the response. It knows nothing of a client that leaves. */
const { Readable } = require('node:stream')
const serve = require('./serve.cjs')

/** Headers that describe a connection or a coding that `fetch` has dealt with. */
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
