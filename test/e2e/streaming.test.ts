import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai, protocols } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

describe('a stream', () => {
  for (const { name, path, request, events, terminator } of protocols) {
    test(`${name}: each event arrives before the provider sends the next`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + path, request)
      const call = (await provider.next()).sse()
      const response = await within(answer, 'the head of the response, before any event')
      assert.equal(response.status, 200)
      const received = new Events(response)
      for (const event of [...events, terminator]) {
        call.send(event)
        assert.equal(await received.next(), event)
      }
      call.end()
      assert.equal(await received.next(), undefined)
      const record = await app.record()
      assert.equal(record.outcome, 'completed')
      assert.equal(record.code, undefined)
      assert.equal(record.status, 200)
      assert.equal(record.stream, true)
      assert.equal(record.model, request.model)
      assert.equal(record.path, path)
      assert.equal(record.method, 'POST')
      assert.equal(record.events, events.length + 1)
      assert.equal(record.downstreamBytes, Buffer.byteLength(events.join('') + terminator))
      assert.equal(record.upstreamBytes, record.downstreamBytes)
      assert.equal(record.requestBytes, JSON.stringify(request).length)
      assert.ok(record.turns >= events.length + 1)
    })

    test(`${name}: its last event and its end go out in one write if they came together`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const writes: number[] = []
      app.server.once('connection', (socket: Socket & { _writev: Socket['_write'] }) => {
        for (const method of ['_write', '_writev'] as const) {
          const write = socket[method]
          t.mock.method(socket, method, (...given: Parameters<typeof write>) => {
            writes.push(writes.length)
            return write.apply(socket, given)
          })
        }
      })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      const call = (await provider.next()).sse(events)
      await client.sees(events.at(-1)!)
      const before = writes.length
      call.raw(`${terminator.length.toString(16)}\r\n${terminator}\r\n0\r\n\r\n`)
      await client.sees('\r\n0\r\n\r\n')
      assert.equal(writes.length - before, 1)
      assert.equal((await app.record()).outcome, 'completed')
    })

    test(`${name}: ends after the terminator if the provider leaves the connection open`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + path, request)
      const call = (await provider.next()).sse([...events, terminator])
      assert.deepEqual(await new Events(await answer).rest(), [...events, terminator])
      await call.gone
      assert.equal((await app.record()).outcome, 'completed')
    })

    test(`${name}: is complete if the provider resets the connection after the terminator`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + path, request)
      const call = (await provider.next()).sse()
      const received = new Events(await answer)
      call.send(events[0] + terminator)
      assert.equal(await received.next(), events[0])
      assert.equal(await received.next(), terminator)
      call.reset()
      assert.equal(await received.next(), undefined)
      assert.equal((await app.record()).outcome, 'completed')
    })
  }

  test('OpenAI responses: ends after the last event if the connection is left open', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(`${app.url}/v1/responses`, { model: 'm', stream: true, input: 'Hi' })
    const events = [
      'event: response.created\ndata: {"type":"response.created"}\n\n',
      `event: response.completed\ndata: {"type":"response.completed","response":{"text":"${'x'.repeat(5000)}"}}\n\n`,
    ]
    const call = (await provider.next()).sse(events)
    assert.deepEqual(await new Events(await answer).rest(), events)
    await call.gone
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('half an event waits for the rest, whole events before it do not', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    const call = (await provider.next()).sse()
    await client.sees('\r\n\r\n')
    call.send('data: 1\n\ndata: 2')
    await client.sees('data: 1\n\n')
    call.send('2\n')
    call.send('\ndata: 3\r\n\r')
    assert.match(await client.sees('data: 22\n\n'), /^\r\n[\da-f]+\r\ndata: 22\n\n$/)
    await client.sees('data: 3\r\n\r')
    call.send('\ndata: 4\n\n')
    await client.sees('data: 4\n\n')
    assert.equal(app.proxy.exchanges()[0]?.phase, 'streaming')
  })

  test('a clean end without a blank line: the remaining event goes out, with a blank line added', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    for (const [ending, sent] of [
      ['data: [DONE]', 'data: [DONE]\n\n'],
      ['data: [DONE]\n', 'data: [DONE]\n\n'],
    ] as const) {
      const answer = post(app.url + openai.path, openai.request)
      const call = (await provider.next()).sse()
      call.end(`data: 1\n\n${ending}`)
      assert.equal(await (await answer).text(), `data: 1\n\n${sent}`)
      const record = await app.record()
      assert.equal(record.outcome, 'completed')
      assert.equal(record.events, 2)
    }
  })

  test('a body that ends with the connection, as from HTTP/1.0 providers, passes', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    const call = await provider.next()
    call.raw('HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n').socket.end()
    assert.equal(await (await answer).text(), 'data: 1\n\ndata: 2\n\n')
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('has the headers of an event stream', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    const call = await provider.next()
    assert.equal(call.headers['accept-encoding'], 'identity')
    call.raw(
      [
        'HTTP/1.1 200 OK',
        'content-type: text/event-stream; charset=utf-8',
        'cache-control: no-cache',
        'connection: keep-alive, x-of-this-hop',
        'keep-alive: timeout=77',
        'x-of-this-hop: 1',
        'proxy-authenticate: Basic',
        'trailer: x-sum',
        'set-cookie: provider=1',
        'x-request-id: req_1',
        'x-ratelimit-remaining-tokens: 99',
        'transfer-encoding: chunked',
        '\r\n',
      ].join('\r\n'),
    )
    const head = await client.sees('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(head, /\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/i)
    assert.match(head, /\r\nx-accel-buffering: no\r\n/i)
    assert.match(head, /\r\ncache-control: no-cache, no-transform\r\n/i)
    assert.match(head, /\r\nx-upstream-request-id: req_1\r\n/i)
    assert.match(head, /\r\nx-ratelimit-remaining-tokens: 99\r\n/i)
    assert.doesNotMatch(head, /x-of-this-hop|timeout=77|proxy-authenticate|trailer|set-cookie/i)
  })

  test('bytes pass unchanged: comments, ids, retries, unusual line ends, UTF-8', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const body = ': hi\n\nid: 1\nretry: 5\n\nevent: é\rdata: 你好 👋\r\rdata\n\n\n\ndata:x\r\n\r\n'
    for (const cutInto of [1, 3, 1000]) {
      const answer = post(app.url + openai.path, openai.request)
      const call = (await provider.next()).sse()
      const bytes = Buffer.from(body)
      for (let at = 0; at < bytes.length; at += cutInto) call.send(bytes.subarray(at, at + cutInto))
      call.end()
      assert.equal(await (await answer).text(), body)
    }
  })
})
