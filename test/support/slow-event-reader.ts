/** What a prefix of an event stream holds, found the slow and obvious way. */
export interface ParsedMessage {
  /** Where the last blank line ends: all before it is whole, nothing behind it is. */
  readonly boundary: number
  /** The blocks before it that are events, line ends and all, without those of comments alone and without blank lines. */
  readonly events: readonly string[]
  /** Bytes of each block before it, events or not; the LF of a CRLF that ends one is of none. */
  readonly sizes: readonly number[]
  /** What stands behind it. */
  readonly rest: string
  /** The rest has a line that is no comment. */
  readonly restIsEvent: boolean
}

/** Reads an event stream from its beginning: WHATWG HTML, 9.2.5, as a regular expression and a loop. */
export function readSlowly(bytes: Buffer): ParsedMessage {
  const text = bytes.toString('latin1')
  const events: string[] = []
  const sizes: number[] = []
  let boundary = 0
  let isEvent = false
  for (const line of text.matchAll(/([^\r\n]*)(\r\n|\r|\n)/g)) {
    const end = line.index + line[0].length
    if (line[1] === '') {
      const block = text.slice(boundary, end)
      if (isEvent) events.push(block)
      sizes.push(block.replace(/\r\n$/, '\r').length)
      isEvent = false
      boundary = end
    } else if (!line[1]!.startsWith(':')) {
      isEvent = true
    }
  }
  const lastLine = /[^\r\n]*$/.exec(text)![0]
  const restIsEvent = isEvent || (lastLine !== '' && !lastLine.startsWith(':'))
  return { boundary, events, sizes, rest: text.slice(boundary), restIsEvent }
}

/** An event without the line ends behind it. */
export function withoutEnd(event: string): string {
  return event.replace(/[\r\n]+$/, '')
}
