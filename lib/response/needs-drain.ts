import type { ServerResponse } from 'node:http'

/** A response of Node's HTTP/2 server has on its stream what other responses have themselves. */
interface Http2Like {
  readonly writableNeedDrain?: boolean
  readonly stream?: { readonly writableNeedDrain?: boolean }
}

/** Returns whether a response (HTTP/1 or HTTP/2) will emit `drain` after the client has read. */
export function needsDrain(res: ServerResponse): boolean {
  const { writableNeedDrain, stream } = res as Http2Like
  return (writableNeedDrain ?? stream?.writableNeedDrain) === true
}
