/**
 * An app as they are found in the wild: CommonJS, Express 4 or 5, middlewares that have been there for years, and the
 * built package put into the midst of it. It tells the tests over IPC where it listens and what it has recorded.
 */
const { promisify } = require('node:util')
const bodyParser = require('body-parser')
const compression = require('compression')
const cookieSession = require('cookie-session')
const cors = require('cors')
const express = require('express')
const helmet = require('helmet')
const morgan = require('morgan')
const { aiProxy, defaultEndpoints } = require('express-ai-proxy')

const { OPENAI_URL, CLAUDE_URL, USERS_URL, GRACE_MS, MAX_STREAMS } = process.env
const tell = (message) => process.send?.(message)

const onFinish = ({ id, outcome, code, path, model, status, downstreamBytes }) =>
  tell({ record: { id, outcome, code, path, model, status, downstreamBytes } })
const proxies = {
  openai: aiProxy({
    target: OPENAI_URL,
    auth: { headers: { authorization: 'Bearer sk-of-the-app' } },
    endpoints: [...defaultEndpoints, 'audio/transcriptions'],
    limits: { maxRequestBytes: 500_000, ...(MAX_STREAMS && { maxConcurrentStreams: Number(MAX_STREAMS) }) },
    errors: 'next',
    proxy: { xfwd: true },
    onFinish,
  }),
  claude: aiProxy({ target: CLAUDE_URL, auth: { headers: { 'x-api-key': 'sk-ant-of-the-app' } }, onFinish }),
}

/** Who calls is asked of another service, which takes its time. */
async function signedIn(req, res, next) {
  try {
    const answer = req.session.user && (await fetch(`${USERS_URL}/users/${req.session.user}`))
    if (!answer?.ok) return res.status(401).json({ problem: 'sign in first' })
    req.user = await answer.json()
    req.session.calls = (req.session.calls || 0) + 1
    next()
  } catch (error) {
    next(error)
  }
}

const app = express()
// nginx, on the same machine.
app.set('trust proxy', 'loopback')
app.use(morgan('combined', { stream: { write: (line) => tell({ log: line }) } }))
app.use(helmet())
app.use(cors({ origin: true, credentials: true }))
app.use(compression({ threshold: 0 }))
app.use(cookieSession({ name: 'session', keys: ['of-the-test'] }))
// As for webhooks with a signature: the raw bytes are kept where somebody will need them.
const verify = (req, _res, bytes) => {
  if (req.originalUrl.startsWith('/ai/openai/')) req.rawBody = bytes
}
app.use(bodyParser.json({ limit: '1mb', verify }), bodyParser.urlencoded({ extended: false }))

app.get('/whoami', (req, res) => res.json({ ip: req.ip, secure: req.secure, pid: process.pid }))
app.post('/login', (req, res) => {
  req.session.user = req.body.user
  res.status(204).end()
})
const ai = express.Router()
ai.use(signedIn)
ai.use('/openai', proxies.openai)
ai.use('/claude', proxies.claude)
app.use('/ai', ai)

app.use((_req, res) => res.status(404).json({ problem: 'no such page' }))
// Express knows an error handler by its four parameters.
app.use((error, req, res, next) => {
  if (res.headersSent) return next(error)
  res.set(error.headers || {}).status(error.status || 500)
  res.json({ problem: error.code || error.type || 'unknown', path: req.originalUrl })
})

const server = app.listen(0, '127.0.0.1', () => tell({ ready: { port: server.address().port, pid: process.pid } }))

const closeAll = (options) => Promise.all(Object.values(proxies).map((proxy) => proxy.close(options)))
let isClosing = false
process.on('SIGTERM', async () => {
  // Whoever says it twice is in a hurry.
  if (isClosing) return closeAll({ graceMs: 0 })
  isClosing = true
  const closed = promisify(server.close).call(server)
  tell({ closing: process.pid })
  await closeAll({ graceMs: Number(GRACE_MS) })
  // Connections that a client keeps for its next request.
  server.closeIdleConnections()
  await closed
  // No process.exit(): nothing may be left that keeps the process, once the tests' own channel is gone.
  process.disconnect()
})
process.on('message', (question) => {
  if (question === 'stats') tell({ stats: { pid: process.pid, ...proxies.openai.stats() } })
})
