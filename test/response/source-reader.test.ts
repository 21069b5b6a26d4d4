import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, IncomingMessage } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { SourceReader } from '../../lib/response/source-reader.js'
import { settled } from '../support/event-loop.js'

const KIB = 1024

/** A response as Node's HTTP parser feeds it: what it would push is pushed by hand. */
function responseBy(hand: { pauses: string[] }): IncomingMessage {
  const socket = new Socket()
  socket.resume = () => {
    hand.pauses.push('resumed')
    return socket
  }
  return new IncomingMessage(socket)
}

function textOf(chunks: readonly Buffer[]): string[] {
  return chunks.map(String)
}

describe('an HTTP response', () => {
  test('is read in its own chunks, without joining them', () => {
    const response = responseBy({ pauses: [] })
    let calls = 0
    const reader = new SourceReader(response, () => calls++)
    for (const chunk of ['a', 'b', 'c']) response.push(Buffer.from(chunk))
    assert.equal(reader.length, 3)
    assert.equal(calls, 3)
    assert.deepEqual(textOf(reader.read(KIB)), ['a', 'b', 'c'])
    assert.equal(reader.length, 0)
    assert.deepEqual(reader.read(KIB), [])
  })

  test('is read from what arrived before the reader was created', () => {
    const response = responseBy({ pauses: [] })
    response.push(Buffer.from('early'))
    let calls = 0
    const reader = new SourceReader(response, () => calls++)
    assert.equal(calls, 1, 'it is told of at once')
    response.push(Buffer.from('late'))
    assert.equal(reader.length, 9)
    assert.deepEqual(textOf(reader.read(KIB)), ['early', 'late'])
  })

  test('is paused at the parser once 16 KiB wait, and resumed when they are read', () => {
    const hand = { pauses: [] as string[] }
    const response = responseBy(hand)
    const reader = new SourceReader(response, () => {})
    assert.equal(response.push(Buffer.alloc(16 * KIB - 1)), true)
    assert.equal(response.push(Buffer.alloc(1)), false)
    assert.equal(response.push(Buffer.alloc(KIB)), false)
    hand.pauses.length = 0
    assert.equal(reader.read(64 * KIB).length, 3)
    assert.deepEqual(hand.pauses, ['resumed'])
    assert.equal(reader.hasResumed, true)
    response.push(Buffer.from('x'))
    reader.read(64 * KIB)
    assert.equal(reader.hasResumed, false)
    assert.deepEqual(hand.pauses, ['resumed'])
  })

  test('ends after what waits is read, and at once', async () => {
    const response = responseBy({ pauses: [] })
    let ended = false
    response.on('end', () => {
      ended = true
    })
    const reader = new SourceReader(response, () => {})
    response.push(Buffer.from('last'))
    response.push(null)
    await settled()
    assert.equal(ended, false)
    assert.deepEqual(textOf(reader.read(KIB)), ['last'])
    await settled()
    assert.equal(ended, true)
  })

  test('wakes the reader by its end alone, and reading it ends the stream', async () => {
    const response = responseBy({ pauses: [] })
    let calls = 0
    const reader = new SourceReader(response, () => calls++)
    await settled()
    const before = calls
    response.push(null)
    await settled()
    assert.ok(calls > before)
    const ended = once(response, 'end')
    assert.deepEqual(reader.read(KIB), [])
    await ended
  })

  test('ends once all is read, if its end comes while a part waits for a later turn', async () => {
    const response = responseBy({ pauses: [] })
    const reader = new SourceReader(response, () => {})
    await settled()
    response.push(Buffer.alloc(3 * KIB))
    const ended = once(response, 'end')
    reader.read(2 * KIB)
    response.push(null)
    await settled()
    assert.equal(response.readableEnded, false)
    reader.read(2 * KIB)
    await ended
  })

  test('is ignored once the reader is closed', () => {
    const response = responseBy({ pauses: [] })
    let calls = 0
    const reader = new SourceReader(response, () => calls++)
    response.push(Buffer.from('a'))
    reader.close()
    const before = calls
    assert.equal(response.push(Buffer.from('b')), false)
    assert.equal(reader.length, 0)
    assert.equal(calls, before)
  })

  test('emits chunks through `push` in this version of Node, so that nothing is joined', async (t) => {
    const chunks = Array.from({ length: 50 }, (_, at) => `chunk ${at};`)
    const { response, reader } = await answerOf(t, chunks)
    const taken: Buffer[] = []
    const ended = once(response, 'end')
    let rounds = 0
    while (!response.complete || reader.length > 0) {
      taken.push(...reader.read(64 * KIB))
      await settled()
      if (rounds++ > 10_000) assert.fail('the response does not come to its end')
    }
    reader.read(1)
    await ended
    assert.deepEqual(textOf(taken), chunks)
  })
})

describe('a mock of a provider that pushes strings', () => {
  test('works as an HTTP response', () => {
    const response = responseBy({ pauses: [] })
    response.push('before ')
    const reader = new SourceReader(response, () => {})
    response.push('你好', 'utf8')
    response.push('IQ==', 'base64')
    assert.equal(reader.length, 14)
    assert.equal(Buffer.concat(reader.read(KIB)).toString(), 'before 你好!')
  })

  test('works as any other stream', async () => {
    const source = Readable.from(['data: 1\n\n', 'data: 你好\n\n'])
    const reader = new SourceReader(source, () => {})
    const taken: Buffer[] = []
    source.on('readable', () => taken.push(...reader.read(KIB)))
    await once(source, 'end')
    assert.ok(taken.every(Buffer.isBuffer))
    assert.equal(Buffer.concat(taken).toString(), 'data: 1\n\ndata: 你好\n\n')
  })
})

describe('any other stream', () => {
  test('is read until the bound is exceeded', async () => {
    const source = new Readable({ read() {} })
    let calls = 0
    const reader = new SourceReader(source, () => calls++)
    source.push(Buffer.from('abc'))
    await settled()
    assert.equal(calls, 1)
    assert.equal(reader.length, 3)
    assert.equal(Buffer.concat(reader.read(KIB)).toString(), 'abc')
    assert.equal(reader.isDrained, false)
  })
})

/** A response whose body comes in one piece of many HTTP chunks, taken in from its head on. */
async function answerOf(t: TestContext, chunks: readonly string[]) {
  const server = createServer((_req, res) => {
    res.writeHead(200)
    res.flushHeaders()
    const wire = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
    res.socket?.end(`${wire}0\r\n\r\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return new Promise<{ response: IncomingMessage; reader: SourceReader }>((resolve) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      resolve({ response, reader: new SourceReader(response, () => {}) })
    })
  })
}
