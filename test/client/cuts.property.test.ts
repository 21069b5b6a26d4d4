import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ResumableOptions } from '../../lib/client/options.js'
import { resumableIn } from '../../lib/client/resumable-in.js'
import { awsMessage } from '../framing/bodies.js'
import { type Cut, FakeServer, type FakeStream } from './fake-server.js'
import { ManualEnvironment } from './manual-environment.js'

const SSE = ['data: {"text":"naïve 🦆"}', 'event: delta\ndata: one\ndata: two', 'event: ping', ': note\ndata: [DONE]']
const sse = (lineEnd: string): FakeStream => ({
  events: SSE.map((event) => Buffer.from(`${event}\n\n`.replaceAll('\n', lineEnd))),
})

const streams: readonly [name: string, stream: FakeStream][] = [
  ['server-sent events with LF', sse('\n')],
  ['server-sent events with CRLF', sse('\r\n')],
  ['server-sent events with CR', sse('\r')],
  [
    'newline-delimited JSON',
    {
      contentType: 'application/x-ndjson',
      events: ['{"text":"naïve 🦆"}\n', '{"a":1}\r\n', '{"b":[2]}\n'].map((line) => Buffer.from(line)),
    },
  ],
  [
    'an AWS event stream',
    {
      contentType: 'application/vnd.amazon.eventstream',
      events: ['{"text":"naïve 🦆"}', '', '\n\n'].map((data) => awsMessage({ ':event-type': 'chunk' }, data)),
    },
  ],
]

/** Reads a stream to its end, through connections that break. */
async function read(server: FakeServer, options: ResumableOptions = {}): Promise<Buffer> {
  const environment = new ManualEnvironment()
  const response = await resumableIn(environment, server.fetch, options)('/ai/v1/x', { method: 'POST', body: '{}' })
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Offsets at which a new event begins, so that a body that ends there looks whole. */
function bounds({ events }: FakeStream, whole: Buffer): Set<number> {
  const ends = new Set([0])
  let at = 0
  for (const event of events) {
    at = whole.indexOf(event, at) + event.length
    ends.add(at)
  }
  return ends
}

const lines = (bytes: Buffer) => bytes.toString('latin1').replace(/\r\n?/g, '\n')

for (const [name, stream] of streams) {
  describe(name, () => {
    const { whole } = new FakeServer(stream)
    const isBound = bounds(stream, whole)

    test('arrive whole if the connection fails once, after any byte', async () => {
      for (let after = 0; after <= whole.length; after++) {
        const server = new FakeServer(stream)
        server.cuts.push({ after, how: 'error' })
        assert.deepEqual(await read(server), whole, `after ${after} bytes`)
      }
    })

    test('arrive whole if the body ends in the middle of an event, after any byte', async () => {
      for (let after = 0; after <= whole.length; after++) {
        if (isBound.has(after)) continue
        const server = new FakeServer(stream)
        server.cuts.push({ after, how: 'end' })
        // If it ends between the CR and the LF of a blank line, the event is whole without the LF.
        assert.equal(lines(await read(server)), lines(whole), `after ${after} bytes`)
      }
    })

    test('arrive whole however often connections fail, and however the bytes are cut', async () => {
      const cut = fc.record({ after: fc.nat(whole.length + 5), how: fc.constant<Cut['how']>('error') })
      const chunks = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
      await fc.assert(
        fc.asyncProperty(fc.array(cut, { maxLength: 30 }), chunks, async (cuts, lengths) => {
          const server = new FakeServer(stream)
          server.cuts.push(...cuts)
          server.chunks = lengths
          assert.deepEqual(await read(server, { retries: 31 }), whole)
        }),
        { numRuns: 200 },
      )
    })

    test('arrive whole a byte at a time, if each connection brings a byte more than the one before', async () => {
      const server = new FakeServer(stream)
      server.chunks = [1]
      for (let after = 0; after <= whole.length; after++) server.cuts.push({ after, how: 'error' })
      assert.deepEqual(await read(server, { retries: whole.length + 1 }), whole)
    })
  })
}
