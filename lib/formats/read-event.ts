import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** Reads one whole event of an event stream; `undefined` where it is none (a comment, a lone `retry:`). */
export function readEvent(frame: Buffer): EventSourceMessage | undefined {
  let message: EventSourceMessage | undefined
  // Two line ends more: the parser waits to see whether a CR at the very end is the first half of a CRLF.
  createParser({
    onEvent(event) {
      message = event
    },
  }).feed(`${frame.toString()}\n\n`)
  return message
}
