import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** Reads one whole event of an event stream; `undefined` where it is none (a comment, a lone `retry:`). */
export function readEvent(frame: Buffer): EventSourceMessage | undefined {
  let message: EventSourceMessage | undefined
  createParser({
    onEvent(event) {
      message = event
    },
  }).feed(frame.toString())
  return message
}
