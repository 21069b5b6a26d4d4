/**
 * Reads server-sent events from the body of a fetch response, and yields `{ event, data, id }` for each; `id` is the last one
 * that was sent, with this event or before it.
 *
 * The chunks of a body end anywhere: inside an event, a line end or a character. So the text is decoded as a stream,
 * and only whole lines are looked at.
 */
export async function* serverSentEvents(body) {
  let event = 'message'
  let data = []
  let id = ''

  for await (const line of linesOf(body)) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n'), id }
      event = 'message'
      data = []
      continue
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)
    if (field === 'data') data.push(value)
    if (field === 'event') event = value
    if (field === 'id') id = value
    // Other fields, and comments (lines that begin with a colon), mean nothing here.
  }
}

async function* linesOf(body) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let endedInCr = false

  try {
    while (true) {
      const { done, value } = await reader.read()
      if (done) return
      let text = decoder.decode(value, { stream: true })
      if (text === '') continue
      // A carriage return ends its line at once; a line feed that follows in the next chunk belongs to it.
      if (endedInCr && text.startsWith('\n')) text = text.slice(1)
      endedInCr = text.endsWith('\r')

      const lines = (rest + text).split(/\r\n|\n|\r/)
      rest = lines.pop()
      yield* lines
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
