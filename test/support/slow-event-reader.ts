/** The content of a prefix of an event stream, found in the slow and obvious way. */
export interface ParsedMessage {
  /** The end of the last blank line: everything before it is complete, nothing after it is. */
  readonly boundary: number
  /** The blocks before it that are events, with their line ends; without blocks of comments only and blank lines. */
  readonly events: readonly string[]
  /** Bytes of each block before it, events or not; excluding the LF of a CRLF that ends a block. */
  readonly sizes: readonly number[]
  /** What follows it. */
  readonly rest: string
  /** Whether the remainder has a line that is not a comment. */
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

/** An event without the line ends after it. */
export function withoutEnd(event: string): string {
  return event.replace(/[\r\n]+$/, '')
}
