import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { AnswerRecorder } from '../../lib/exchange/answer-recorder.js'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { Downstream } from '../../lib/response/downstream.js'

/** A stream to a client that does not read yet, of which a recorder makes other frames. */
async function streaming(t: TestContext, isHeadHeld = false) {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  t.after(() => client.destroy())
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  const [, res] = (await once(server, 'request')) as [unknown, ServerResponse]
  const events = new EventEmitter()
  const deadlines = new Deadlines()
  t.after(() => deadlines.stopAll())
  const downstream = new Downstream(res, deadlines, () => 60_000, {
    onBackpressure: () => {},
    onDrain: () => events.emit('drain'),
    onCrash: assert.fail,
    onDrainTimeout: assert.fail,
    onUnflushable: () => {},
  })
  t.after(() => downstream.close())
  const sent: Buffer[] = []
  downstream.recorder = {
    copiesBytes: true,
    setHead: () => {},
    headersFor: () => ({}),
    keep: (frames: Buffer) => Buffer.concat([Buffer.from('id: 1\n'), frames]),
    sent: (frames: Buffer) => sent.push(frames),
    end: () => {},
  } as unknown as AnswerRecorder
  downstream.openStream(200, { 'content-type': 'text/event-stream' })
  if (!isHeadHeld) downstream.flushHead()
  return { downstream, client, res, events, sent }
}

const small = Buffer.from('data: 1\n\n')
const large = Buffer.alloc(32 * 1024 * 1024, 'data: 1\n\n')

test("a recorder's frames are given back at once if the system takes them", async (t) => {
  const { downstream, sent } = await streaming(t)
  downstream.writeFrames(small, [small.length], 0)
  assert.deepEqual(sent.map(String), ['id: 1\ndata: 1\n\n'])
})

test("a recorder's frames are given back once a slow client has read them, and not before", async (t) => {
  const { downstream, client, events, sent } = await streaming(t)
  downstream.writeFrames(large, [large.length], 0)
  assert.equal(downstream.isBlocked, true)
  assert.equal(sent.length, 0)
  client.resume()
  await once(events, 'drain')
  downstream.writeFrames(small, [small.length], 0)
  assert.deepEqual(
    sent.map(({ length }) => length),
    [large.length + 6, small.length + 6],
  )
})

test('the last ones are given back once all of the response has been sent', async (t) => {
  const { downstream, client, res, sent } = await streaming(t)
  downstream.writeFrames(large, [large.length], 0)
  downstream.end()
  client.resume()
  await once(res, 'finish')
  downstream.close()
  assert.deepEqual(
    sent.map(({ length }) => length),
    [large.length + 6],
  )
})

test('the last ones are not given back if the client leaves', async (t) => {
  const { downstream, client, res, sent } = await streaming(t)
  downstream.writeFrames(large, [large.length], 0)
  client.destroy()
  await once(res, 'close')
  downstream.close()
  assert.deepEqual(sent, [])
})

test('frames that other code has seen are never given back, even once it sees no more', async (t) => {
  for (const [whose, name] of [
    ['res', 'write'],
    ['socket', 'write'],
    ['socket', '_write'],
    ['socket', '_writev'],
  ] as const) {
    const { downstream, client, res, sent } = await streaming(t)
    downstream.writeFrames(small, [small.length], 0)
    sent.length = 0
    const seer = (whose === 'res' ? res : res.socket) as unknown as Record<string, (...args: unknown[]) => unknown>
    const write = seer[name]!
    seer[name] = (...args) => write.apply(seer, args)
    downstream.writeFrames(large, [large.length], 0)
    // As it was.
    Reflect.deleteProperty(seer, name)
    client.resume()
    await once(res.socket!, 'drain')
    downstream.writeFrames(small, [small.length], 0)
    downstream.end()
    await once(res, 'finish')
    downstream.close()
    assert.equal(sent.length, 0, `${whose}.${name}()`)
    assert.equal(downstream.hasSentAll, false)
  }
})

test('the last ones are not given back if other code has seen them, and sees all to the end', async (t) => {
  const { downstream, client, res, sent } = await streaming(t)
  const { write } = res
  res.write = ((...args: Parameters<typeof write>) => write.apply(res, args)) as typeof write
  downstream.writeFrames(large, [large.length], 0)
  downstream.end()
  client.resume()
  await once(res, 'finish')
  downstream.close()
  assert.equal(sent.length, 0)
})

test('nor are the first ones, which go out with the head', async (t) => {
  const { downstream, res, sent } = await streaming(t, true)
  const socket = res.socket!
  const { write } = socket
  socket.write = ((...args: Parameters<typeof write>) => write.apply(socket, args)) as typeof write
  downstream.writeFrames(small, [small.length], 0)
  Reflect.deleteProperty(socket, 'write')
  downstream.writeFrames(small, [small.length], 0)
  assert.equal(sent.length, 0)
})
