import type { Response } from 'express'

/** A response that stays open as a stream of server-sent events. */
export interface Push {
  send(event: string, data: unknown): void
  /** What was sent still waits for the client to read: leave out what will soon be stale. */
  readonly isBehind: boolean
  /** Aborted when the client has left, or the response has ended. */
  readonly over: AbortSignal
}

export function openPush(res: Response): Push {
  const over = new AbortController()
  res.on('close', () => over.abort())
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  res.flushHeaders()
  return {
    send(event, data) {
      res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    },
    get isBehind() {
      return res.writableNeedDrain
    },
    over: over.signal,
  }
}
