/** The least that Node can do: one request, one pipe in each direction, and an abort when the client leaves. */
const { Agent, request } = require('node:http')
const serve = require('./serve.cjs')

const agent = new Agent({ keepAlive: true })

serve((target) => {
  const { hostname, port, host } = new URL(target)
  return (req, res) => {
    const headers = { ...req.headers, host }
    const call = request({ agent, hostname, port, path: req.url, method: req.method, headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers)
      answer.pipe(res)
    })
    call.on('error', () => res.destroy())
    res.on('close', () => {
      if (!res.writableFinished) call.destroy()
    })
    req.pipe(call)
  }
})
