import { createParser, type EventSourceMessage } from 'eventsource-parser'

const BOM = 0xfeff

let parsedEvent: EventSourceMessage | undefined
// One parser is shared: creating one costs more than reading an event.
const parser = createParser({
  onEvent(event) {
    parsedEvent = event
  },
})

/** Reads what an event carries; `undefined` if the frame has no event (a comment, a lone `retry:`), and no error. */
export function readSse(frame: Buffer): EventSourceMessage | undefined {
  const text = frame.toString()
  parsedEvent = undefined
  // Only the first event of a stream may have a byte order mark, and removing one elsewhere harms none of our readers.
  const unmarked = text.charCodeAt(0) === BOM ? text.slice(1) : text
  // The parser would search the whole rest for a CR for each line: in a large frame that takes minutes.
  parser.feed(keepKnownFields(unmarked.includes('\r') ? unmarked.replace(/\r\n?/g, '\n') : unmarked))
  // The last event of a stream need not end with a blank line.
  if (!parsedEvent) parser.feed('\n\n')
  parser.reset()
  return parsedEvent ?? errorField(unmarked)
}

const ERROR_FIELD = 'error:'

/**
 * Reads an error as llama.cpp wrote it until 2025: as a field of its own, which readers of events skip, and which the end
 * of the stream may follow.
 */
function errorField(text: string): EventSourceMessage | undefined {
  if (!text.startsWith(ERROR_FIELD)) return undefined
  const end = text.search(/[\r\n]/)
  const data = text.slice(ERROR_FIELD.length, end === -1 ? undefined : end).trim()
  return data === '' ? undefined : { event: 'error', id: undefined, data }
}

const FIELDS = ['data', 'event', 'id']

/**
 * Drops the lines that we do not use. The parser would create an error, with a stack, for each of them: for half a
 * minute, if an event has megabytes of such lines.
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

/**
 * Writes an event. Each line of `data`, whatever its line ends, becomes a field of its own; readers join them with LF.
 */
export function writeSse({ event, id, data }: EventSourceMessage): string {
  let lines = ''
  if (event) lines += `event: ${onOneLine(event)}\n`
  if (id !== undefined) lines += `id: ${onOneLine(id)}\n`
  for (const line of data.split(/\r\n|\r|\n/)) lines += `data: ${line}\n`
  return `${lines}\n`
}

/** Removes line ends from a name, because they would begin another field. */
function onOneLine(name: string): string {
  return name.replace(/[\r\n]+/g, ' ')
}
