/** http-proxy-middleware, as a careful hand-written route would use it. */
const { Agent } = require('node:http')
const { createProxyMiddleware } = require('http-proxy-middleware')
const serve = require('./serve.cjs')

serve((target) => createProxyMiddleware({ target, changeOrigin: true, agent: new Agent({ keepAlive: true }) }))
