import type { StreamHandle } from './stream-handle.js'

const handles = new WeakMap<object, StreamHandle>()

/** Remembers how a response's stream is stopped. */
export function rememberHandle(response: object, handle: StreamHandle): void {
  handles.set(response, handle)
}

/** Returns how a response's stream is stopped, or `undefined` if it is no response of `resumable()`. */
export function handleFor(response: object): StreamHandle | undefined {
  return handles.get(response)
}
