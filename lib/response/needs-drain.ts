import type { ServerResponse } from 'node:http'

/** The response of Node's HTTP/2 server has on its stream what other responses have themselves. */
interface Http2Like {
  readonly writableNeedDrain?: boolean
  readonly stream?: { readonly writableNeedDrain?: boolean }
}

/** Whether a response, of HTTP/1 or HTTP/2, emits `drain` once the client has read on. */
export function needsDrain(res: ServerResponse): boolean {
  const { writableNeedDrain, stream } = res as Http2Like
  return (writableNeedDrain ?? stream?.writableNeedDrain) === true
}
