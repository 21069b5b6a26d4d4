/** Serves the browser libraries from node_modules, and this package's own, without a build step or a CDN. */
import path from 'node:path'
import express, { type Router } from 'express'

/** The files that the pages load, by name. */
const files: Readonly<Record<string, string>> = {
  // In your app: path.join(path.dirname(require.resolve('express-ai-proxy/client')), 'client.mjs')
  'client.mjs': path.join(__dirname, '../../dist/client.mjs'),
  'marked.mjs': require.resolve('marked'),
  'purify.mjs': path.join(path.dirname(require.resolve('dompurify')), 'purify.es.mjs'),
  'uPlot.mjs': path.join(path.dirname(require.resolve('uplot')), 'uPlot.esm.js'),
  'uPlot.css': path.join(path.dirname(require.resolve('uplot')), 'uPlot.min.css'),
}

/** Routes for {@link files}. */
export function vendorRoutes(): Router {
  const routes = express.Router()
  routes.get('/:file', (req, res, next) => {
    const file = Object.hasOwn(files, req.params.file) ? files[req.params.file] : undefined
    if (!file) return next()
    // The absolute path may have a folder that begins with a dot, which `sendFile` would refuse.
    res.sendFile(path.basename(file), { root: path.dirname(file) }, (error) => error && next(error))
  })
  return routes
}
