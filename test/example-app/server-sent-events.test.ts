import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

interface SseEvent {
  event: string
  data: string
  id: string
}

const events = [
  { event: 'message', data: '{"text":"Grüße 🙂"}', id: '' },
  { event: 'error', data: 'two\n lines', id: '7' },
  { event: 'message', data: '', id: '7' },
  { event: 'message', data: '[DONE]', id: '' },
]
const lines = [
  ': a comment',
  'data: {"text":"Grüße 🙂"}',
  '',
  'event: error',
  'id: 7',
  'data:two',
  'data:  lines',
  '',
  '',
  'data',
  '',
  'id',
  'data: [DONE]',
  '',
  'data: an event that was never closed',
]

for (const [name, lineEnd] of Object.entries({ LF: '\n', CRLF: '\r\n', CR: '\r' })) {
  test(`events are read whole, wherever the chunks are split (${name})`, async () => {
    const bytes = Buffer.from(lines.join(lineEnd))
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      assert.deepEqual(await read(bodyOf(chunks)), events, `chunks of ${size} bytes`)
    }
  })
}

test('an event is available as soon as its blank line ends, without a byte of the next', async () => {
  const body = new TransformStream<Uint8Array, Uint8Array>()
  const writer = body.writable.getWriter()
  const reading = (await parser())(body.readable)
  for (const data of ['one', 'two']) {
    writer.write(Buffer.from(`data: ${data}\r\r`))
    assert.deepEqual((await reading.next()).value, { event: 'message', data, id: '' })
  }
  writer.close()
  assert.equal((await reading.next()).done, true)
})

/** The page's own file, which has no types. */
async function parser(): Promise<(body: ReadableStream<Uint8Array>) => AsyncGenerator<SseEvent, void>> {
  const file = path.join(__dirname, '../../example-app/pages/shared/server-sent-events.mjs')
  return (await import(pathToFileURL(file).href)).serverSentEvents
}

async function read(body: ReadableStream<Uint8Array>): Promise<SseEvent[]> {
  const found = []
  for await (const event of (await parser())(body)) found.push(event)
  return found
}

function bodyOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}
