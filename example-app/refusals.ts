import type { ErrorRequestHandler } from 'express'

/** Answers errors as JSON. Express would show the stack, with this machine's paths, where NODE_ENV is not `production`. */
export const refusals: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  const { status = 500, message } = error as { status?: number; message: string }
  if (status >= 500) console.error(error)
  res.status(status).json({ error: { message: status < 500 ? message : 'This app failed. Its console says why.' } })
}
