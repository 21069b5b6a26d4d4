/** The Express app: the middleware at `/ai`, and what the page needs beside it. */
import path from 'node:path'
import express from 'express'
import { aiProxy } from 'express-ai-proxy'
import type { Provider } from './provider.js'
import { Records } from './records.js'

export function makeApp(provider: Provider) {
  const records = new Records()

  const ai = aiProxy({
    target: provider.target,
    auth: provider.auth,
    onFinish(record, req) {
      records.add(req.get('x-request-id') ?? record.id, record)
    },
  })

  const app = express()
  app.disable('x-powered-by')

  // In your app, whoever may spend your key is checked first: app.use('/ai', signedInUsersOnly, ai)
  app.use('/ai', ai)

  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' })
  })

  // What the page may know. The target and the key stay here.
  app.get('/settings', (_req, res) => {
    const { name, local, model, examples } = provider
    res.json({ provider: name, local, model, examples })
  })

  app.get('/records/:id', async (req, res) => {
    const record = await records.get(req.params.id)
    if (record) res.json(record)
    else res.status(404).json({ error: { message: 'No exchange with this x-request-id has finished lately.' } })
  })

  app.use(express.static(path.join(__dirname, 'public')))

  return { app, ai }
}
