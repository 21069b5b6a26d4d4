import type { ErrorRequestHandler } from 'express'

/** Answers errors as JSON. Unless NODE_ENV is `production`, Express would show the stack, with this machine's paths. */
export const errorHandler: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  const { status = 500, message } = error as { status?: number; message: string }
  if (status >= 500) console.error(error)
  res
    .status(status)
    .json({ error: { message: status < 500 ? message : 'The app failed. Its console shows the error.' } })
}
