import { createParser, type EventSourceMessage } from 'eventsource-parser'

const BOM = 0xfeff

let parsedEvent: EventSourceMessage | undefined
// One parser for all: making one costs more than reading an event does.
const parser = createParser({
  onEvent(event) {
    parsedEvent = event
  },
})

/** What an event carries; `undefined` where the frame holds none (a comment, a lone `retry:`). */
export function readSse(frame: Buffer): EventSourceMessage | undefined {
  const text = frame.toString()
  parsedEvent = undefined
  // Only the first event of a stream may have a mark before it, and no reader of ours minds one anywhere else.
  const unmarked = text.charCodeAt(0) === BOM ? text.slice(1) : text
  // For each line the parser would search all the rest for a CR: of a large frame, for minutes.
  parser.feed(keepKnownFields(unmarked.includes('\r') ? unmarked.replace(/\r\n?/g, '\n') : unmarked))
  // The last event of a stream need not have its blank line.
  if (!parsedEvent) parser.feed('\n\n')
  parser.reset()
  return parsedEvent
}

const FIELDS = ['data', 'event', 'id']

/**
 * The lines that say something to us. For every other one the parser makes an error, with a stack: of an event with
 * megabytes of them, for half a minute.
 */
function keepKnownFields(text: string): string {
  let lines: string[] | undefined
  let keptTo = 0
  for (let at = 0; at < text.length; ) {
    const lf = text.indexOf('\n', at)
    const next = lf === -1 ? text.length : lf + 1
    if (lf !== at && !isField(text, at, lf === -1 ? next : lf)) {
      lines ??= []
      lines.push(text.slice(keptTo, at))
      keptTo = next
    }
    at = next
  }
  return lines === undefined ? text : lines.join('') + text.slice(keptTo)
}

function isField(text: string, start: number, end: number): boolean {
  return FIELDS.some((name) => {
    const nameEnd = start + name.length
    return text.startsWith(name, start) && (nameEnd === end || text[nameEnd] === ':')
  })
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
