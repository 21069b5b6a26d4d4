import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { StandInRequest, StandInResponse, type UpstreamRequest } from '../../lib/upstream/stand-ins.js'
import { settled } from '../support/event-loop.js'

const request = (body: Buffer | Readable | undefined): UpstreamRequest => ({
  method: 'POST',
  url: '/v1/x?y=1',
  headers: { accept: '*/*' },
  body: body as Buffer | IncomingMessage | undefined,
  client: { remoteAddress: '203.0.113.9', encrypted: true },
})

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('StandInRequest', () => {
  test('has what an upstream request is made of', () => {
    const standIn = new StandInRequest(request(undefined), () => {})
    const { method, url, headers, httpVersion, httpVersionMajor } = standIn
    assert.deepEqual(
      { method, url, headers, httpVersion, httpVersionMajor },
      { method: 'POST', url: '/v1/x?y=1', headers: { accept: '*/*' }, httpVersion: '1.1', httpVersionMajor: 1 },
    )
    assert.deepEqual(standIn.socket, {
      remoteAddress: '203.0.113.9',
      encrypted: true,
      destroyed: false,
      writable: true,
    })
    assert.equal(standIn.connection, standIn.socket)
  })

  for (const [name, body, text] of [
    ['bytes', Buffer.from('{"a":1}'), '{"a":1}'],
    ['no bytes', Buffer.alloc(0), ''],
    ['nothing', undefined, ''],
  ] as const) {
    test(`replays ${name}`, async () => {
      for (const attempt of [1, 2]) {
        const standIn = new StandInRequest(request(body), () => assert.fail('nothing passes unbuffered'))
        assert.equal(await textOf(standIn), text, `attempt ${attempt}`)
      }
    })
  }

  test('passes a body that was not read, chunk by chunk, telling of each', async () => {
    const body = Readable.from([Buffer.from('one'), Buffer.from('two')])
    const chunks: string[] = []
    const standIn = new StandInRequest(request(body), (chunk) => chunks.push(String(chunk)))
    assert.equal(await textOf(standIn), 'onetwo')
    assert.deepEqual(chunks, ['one', 'two'])
  })

  test('reads no body before somebody asks for it, and no faster than it is read', async () => {
    const body = new PassThrough({ highWaterMark: 1024 })
    const standIn = new StandInRequest(request(body), () => {})
    for (let at = 0; at < 200; at++) body.write(Buffer.alloc(1024))
    await settled()
    assert.equal(standIn.readableLength, 0)
    standIn.once('readable', () => {})
    await settled(20)
    assert.ok(standIn.readableLength > 0)
    assert.ok(standIn.readableLength < 150 * 1024, `${standIn.readableLength} bytes are held`)
    const all = textOf(standIn)
    body.end()
    assert.equal((await all).length, 200 * 1024)
  })

  test('destroyed, it lets the rest of the body run away', async () => {
    const body = new PassThrough()
    const chunks: Buffer[] = []
    const standIn = new StandInRequest(request(body), (chunk) => chunks.push(chunk))
    standIn.resume()
    body.write('a')
    await settled()
    standIn.destroy()
    await settled()
    const ended = once(body, 'end')
    body.end('b')
    await ended
    assert.deepEqual(chunks.map(String), ['a'])
  })

  test('destroyed, it leaves the listeners of others on the body', async () => {
    const body = new PassThrough()
    let ended = 0
    let seen = 0
    body.on('data', () => seen++)
    body.on('end', () => ended++)
    const standIn = new StandInRequest(request(body), () => {})
    standIn.destroy()
    await settled()
    body.end('x')
    await settled()
    assert.deepEqual([seen, ended], [1, 1])
  })
})

describe('StandInResponse', () => {
  test('does nothing of what it is told, and says so of itself', () => {
    const standIn = new StandInResponse()
    assert.equal(standIn.setHeader(), standIn)
    assert.equal(standIn.end(), standIn)
    assert.equal(standIn.destroy(), standIn)
    const { destroyed, finished, headersSent, writableFinished } = standIn
    assert.deepEqual([destroyed, finished, headersSent, writableFinished], [false, false, false, false])
  })

  for (const complete of [true, false]) {
    test(`closes once, ${complete ? 'as if all had been written' : 'as if the client had left'}`, () => {
      const standIn = new StandInResponse()
      let closes = 0
      standIn.on('close', () => closes++)
      standIn.close(complete)
      standIn.close(!complete)
      assert.equal(closes, 1)
      assert.deepEqual([standIn.destroyed, standIn.finished, standIn.writableFinished], [true, true, complete])
    })
  }
})
