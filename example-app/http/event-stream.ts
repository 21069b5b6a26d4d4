import type { Response } from 'express'

/** A response that stays open as a stream of server-sent events. */
export interface EventStream {
  /** Sends one event; `data` goes out as JSON. */
  send(event: string, data: unknown): void
  /** Aborted when the client has left, or the response has ended. */
  readonly closed: AbortSignal
}

/** Milliseconds after which a browser connects again. */
const RETRY_MS = 1000

/** Turns a response into a stream of server-sent events. */
export function openEventStream(res: Response): EventStream {
  const closed = new AbortController()
  res.on('close', () => closed.abort())
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  res.write(`retry: ${RETRY_MS}\n\n`)
  return {
    send(event, data) {
      res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    },
    closed: closed.signal,
  }
}
