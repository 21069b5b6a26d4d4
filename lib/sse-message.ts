import { createParser, type EventSourceMessage } from 'eventsource-parser'

const BOM = 0xfeff

let found: EventSourceMessage | undefined
// One parser for all: making one costs more than reading an event does.
const parser = createParser({
  onEvent(event) {
    found = event
  },
})

/** What an event carries; `undefined` where the frame holds none (a comment, a lone `retry:`). */
export function readSse(frame: Buffer): EventSourceMessage | undefined {
  const text = frame.toString()
  found = undefined
  // Only the first event of a stream may have a mark before it, and no reader of ours minds one anywhere else.
  const unmarked = text.charCodeAt(0) === BOM ? text.slice(1) : text
  // For each line the parser would search all the rest for a CR: of a large frame, for minutes.
  parser.feed(unmarked.includes('\r') ? unmarked.replace(/\r\n?/g, '\n') : unmarked)
  // The last event of a stream need not have its blank line.
  if (!found) parser.feed('\n\n')
  parser.reset()
  return found
}

/** Whatever `data` has for line ends, each of its lines is a field of its own, which readers join with LF. */
export function writeSse({ event, id, data }: EventSourceMessage): string {
  let lines = ''
  if (event) lines += `event: ${onOneLine(event)}\n`
  if (id !== undefined) lines += `id: ${onOneLine(id)}\n`
  for (const line of data.split(/\r\n|\r|\n/)) lines += `data: ${line}\n`
  return `${lines}\n`
}

/** A line end in a name would begin another field. */
function onOneLine(name: string): string {
  return name.replace(/[\r\n]+/g, ' ')
}
