import type { IncomingMessage } from 'node:http'

/**
 * Reads the beginning of a response and puts it back: the next reader gets the whole response.
 *
 * @param maxBytes about how many bytes to read
 * @param done called once, with fewer bytes if the body ends before; with `undefined` if the response breaks off
 */
export function peek(response: IncomingMessage, maxBytes: number, done: (start: Buffer | undefined) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  const stop = () => response.off('readable', onReadable).off('close', onClose)
  const onReadable = () => {
    while (size < maxBytes) {
      const chunk = response.read() as Buffer | null
      if (chunk === null) break
      chunks.push(chunk)
      size += chunk.length
    }
    if (size < maxBytes && !response.complete) return
    stop()
    const start = Buffer.concat(chunks)
    // A stream accepts `unshift` until it emits `end`, on the next tick.
    if (size > 0) response.unshift(start)
    done(start)
  }
  const onClose = () => {
    stop()
    done(undefined)
  }
  response.on('readable', onReadable).on('close', onClose)
}
