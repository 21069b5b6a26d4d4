import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'
import { ReadThrottle } from '../util/read-throttle.js'
import { Blocks } from './blocks.js'
import { type ReadResources, runTask } from './read-resources.js'

/** A body of this size usually arrives together with its head. */
const MAX_ARRIVED_BYTES = 16 * 1024

/**
 * Takes a small body all of whose bytes have arrived, which needs no listeners.
 *
 * @param size the size that its head declares, at which Node's server ends it
 */
function takeArrived(req: IncomingMessage, size: number): Buffer | undefined {
  const isUntouched = req.readableFlowing === null && req.readableEncoding === null && !req.destroyed
  if (!isUntouched || req.readableLength !== size) return undefined
  const bytes: Buffer | null = req.read()
  if (!req.complete) {
    // Node hands over the bytes before it says that they were the last. Then the request ends, if somebody reads on.
    req.resume()
    Reflect.set(req, ALL_BYTES_READ, true)
  }
  return bytes ?? undefined
}

/** Set on a request whose bytes have all been read before Node has said that no more will come. */
const ALL_BYTES_READ = Symbol('all bytes read')

/** Returns whether a request's body has arrived whole, even if Node has not reported that yet. */
export function hasArrived(req: IncomingMessage): boolean {
  return req.complete || ALL_BYTES_READ in req
}

/**
 * Reads a request's body as it arrives.
 *
 * @param declared the size that its head declares; `undefined` if it declares none, or chunks, which then count (a
 *   lenient parser accepts both)
 * @param onBytes called with the number of bytes of each chunk
 * @throws AiProxyError `request_too_large`, `held_bytes_exceeded`, `invalid_request`
 */
export async function readAll(
  req: IncomingMessage,
  declared: number | undefined,
  limits: ResolvedLimits,
  onBytes: (count: number) => void,
  resources: ReadResources,
): Promise<Buffer> {
  // Node hands over the head first, and what arrived with it right after that.
  if (declared !== undefined && declared <= MAX_ARRIVED_BYTES) {
    await undefined
    const arrived = takeArrived(req, declared)
    if (arrived) {
      onBytes(arrived.length)
      resources.share.add(arrived.length)
      return arrived
    }
  }
  const blocks = new Blocks(resources.share)
  await new Promise<void>((resolve, reject) => {
    const aborted = () => new AiProxyError('invalid_request', 'The request body broke off')
    if (req.destroyed) return reject(aborted())
    const stopListening = () =>
      req.off('data', onData).off('end', onEnd).off('error', onAborted).off('close', onAborted)
    const refuse = (failure: unknown) => {
      stopListening()
      // Read and discard the rest, so that the client can read the response instead of getting a reset connection.
      req.resume()
      reject(failure)
    }
    const throttle = new ReadThrottle(req)
    const onData = (data: Buffer | string) => {
      // Strings arrive if something before the proxy has called `req.setEncoding()`.
      const chunk = typeof data === 'string' ? Buffer.from(data, req.readableEncoding ?? 'utf8') : data
      throttle.count()
      onBytes(chunk.length)
      if (blocks.size + chunk.length > limits.maxRequestBytes) return refuse(limitFailure('request_too_large', limits))
      try {
        blocks.push(chunk)
      } catch (failure) {
        refuse(failure)
      }
    }
    const onEnd = () => {
      stopListening()
      resolve()
    }
    const onAborted = () => {
      stopListening()
      reject(aborted())
    }
    req.on('data', onData).on('end', onEnd).on('error', onAborted).on('close', onAborted)
    // Something before the proxy may have paused it, so that nothing is lost until it is read.
    if (req.isPaused()) req.resume()
  })
  return runTask(blocks.join(), blocks.size, resources)
}
