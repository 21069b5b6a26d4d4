import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai, protocols } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

const heartbeat = /^: .*\n\n$/

/** The next event that is no comment. */
async function nextOf(events: Events): Promise<string | undefined> {
  let event = await events.next()
  while (event !== undefined && heartbeat.test(event)) event = await events.next()
  return event
}

describe('heartbeat.everyMs', () => {
  test('sends a comment if nothing was sent, only between events', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 5 } })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n', 'data: ha'])
    await client.sees('data: 1\n\n')
    await client.sees(/: .*\n\n[\s\S]*: .*\n\n/)
    call.send('lf\n\n')
    call.end()
    const all = await client.sees('\r\n0\r\n\r\n')
    assert.match(all, /\r\ndata: half\n\n\r\n/)
    const record = await app.record()
    assert.equal(record.outcome, 'completed')
    assert.equal(record.events, 2)
    assert.ok(record.downstreamBytes > record.upstreamBytes)
  })

  test('sends none if it is 0', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: false, limits: { idleTimeoutMs: 60 } })
    const answer = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse(['data: 1\n\n'])
    const events = await new Events(await answer).rest()
    assert.equal(events.length, 2)
    assert.equal(openai.errorInEvent(events[1]).code, 'idle_timeout')
  })

  test('sends none within an answer that is not an event stream', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 5 }, limits: { idleTimeoutMs: 60 } })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, { model: 'm' })
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' })
    call.send('{"a":')
    assert.doesNotMatch(await client.end(), /: heartbeat|: ?\n\n/)
  })
})

describe('a byte order mark after a heartbeat', () => {
  for (const [when, options] of [
    ['before the head', { heartbeat: { beforeFirstByte: true } }],
    ['before the first event', { heartbeat: { everyMs: 5 } }],
  ] as const) {
    test(`${when} does not corrupt the first event`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, ...options })
      const client = await connect(t, app.port)
      client.post(`/ai${openai.path}`, openai.request)
      const call = (await provider.next()).sse()
      await client.sees(': heartbeat\n\n')
      call.send('\uFEFFdata: 1\n\n').end('data: 2\n\n')
      const received = await client.sees('data: 2\n\n')
      assert.match(received, /\n(?:\r\n)?data: 1\n\n/)
      assert.equal((await app.record()).events, 2)
    })
  }
})

describe('heartbeat.beforeFirstByte', () => {
  for (const { name, path, request, events, terminator, errorInEvent, isTerminated } of protocols) {
    const early = { heartbeat: { everyMs: 5, beforeFirstByte: true } }

    test(`${name}: opens the stream while the provider is silent, and passes events once they come`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, ...early })
      const response = await within(post(app.url + path, request), 'the head, before the provider answers')
      assert.equal(response.status, 200)
      assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
      assert.equal(response.headers.get('x-accel-buffering'), 'no')
      const received = new Events(response)
      assert.match((await received.next()) ?? '', heartbeat)
      assert.match((await received.next()) ?? '', heartbeat)
      const call = (await provider.next()).sse([...events, terminator])
      for (const event of [...events, terminator]) assert.equal(await nextOf(received), event)
      call.end()
      assert.equal(await nextOf(received), undefined)
      const record = await app.record()
      assert.equal(record.outcome, 'completed')
      assert.equal(record.events, events.length + 1)
    })

    test(`${name}: turns the provider's 401 into an error event that quotes it`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, ...early })
      const received = new Events(await post(app.url + path, request))
      const error = { type: 'authentication_error', message: 'invalid key', code: 'invalid_api_key', param: null }
      const body = name === 'OpenAI' ? { error } : { type: 'error', error }
      ;(await provider.next()).json(401, body)
      const event = await nextOf(received)
      assert.equal(errorInEvent(event).message, 'invalid key')
      assert.equal(await nextOf(received), undefined)
      const record = await app.record()
      assert.equal(record.outcome, 'provider_error')
      assert.equal(record.status, 200)
    })

    for (const [what, type, body] of [
      ['HTML', 'text/html', '<h1>Bad gateway</h1>'],
      ['nothing', 'text/plain', ''],
      ['JSON in another format', 'application/json', '{"detail":"Unauthorized"}'],
      ['JSON in a list', 'application/json', '[{"error":{"message":"no"}}]'],
      ['a JSON string', 'application/json', '"no"'],
    ] as const) {
      test(`${name}: turns an error status with ${what} into an error event`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url, ...early })
        const received = new Events(await post(app.url + path, request))
        ;(await provider.next()).res.writeHead(502, { 'content-type': type }).end(body)
        errorInEvent(await nextOf(received))
        assert.equal(await nextOf(received), undefined)
        assert.equal((await app.record()).outcome, 'provider_error')
      })
    }

    test(`${name}: reports first_byte_timeout, unreachable and reset as error events`, async (t) => {
      const provider = await startProvider(t)
      const limits = { firstByteTimeoutMs: 40 }
      const app = await startApp(t, { target: provider.url, ...early, limits })
      const late = new Events(await post(app.url + path, request))
      assert.equal(errorInEvent(await nextOf(late)).code, 'first_byte_timeout')
      assert.equal(await nextOf(late), undefined)
      const record = await app.record()
      assert.equal(record.limit, 'firstByteTimeoutMs')
      assert.equal(record.status, 200)
      assert.equal(record.firstByteMs, undefined)
      await (await provider.next()).gone

      // Without that limit: on a busy machine, the reset would come after it.
      const patient = await startApp(t, { target: provider.url, ...early })
      const reset = post(patient.url + path, request)
      ;(await provider.next()).reset()
      const events = await new Events(await reset).rest()
      assert.equal(errorInEvent(events.at(-1)).code, 'upstream_reset')
      assert.ok(!isTerminated(events.join('')))
    })
  }

  test('turns a JSON answer with status 200 into a data event', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
    const received = new Events(await post(app.url + openai.path, openai.request))
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' }).end('{\n "id": "x"\n}\n')
    const event = await nextOf(received)
    const data = (event ?? '').replace(/^data: ?/gm, '')
    assert.deepEqual(JSON.parse(data), { id: 'x' })
    assert.equal(await nextOf(received), undefined)
    const record = await app.record()
    assert.equal(record.outcome, 'completed')
    assert.equal(record.events, 1)
  })

  for (const [type, body, said] of [
    ['text/plain', 'Come back\ntomorrow', 'data: Come back\ndata: tomorrow\n\n'],
    ['application/json', '{"id":"x"}', 'data: {"id":"x"}\n\n'],
    ['application/json', '{"id":"x', undefined],
  ] as const) {
    test(`turns ${body}, ended by the end of the connection, into ${said ? 'a data' : 'an error'} event`, async (t) => {
      const head = `HTTP/1.0 200 OK\r\ncontent-type: ${type}\r\n\r\n`
      const provider = await startProvider(t, { onCall: (call) => call.raw(head + body).socket.end() })
      const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
      const received = new Events(await post(app.url + openai.path, openai.request))
      const event = await nextOf(received)
      if (said) assert.equal(event, said)
      else assert.equal(openai.errorInEvent(event).code, 'upstream_reset')
      assert.equal((await app.record()).outcome, said ? 'completed' : 'upstream_error')
    })
  }

  for (const [name, headers, body, expected] of [
    ['is empty', {}, '', 'upstream_truncated'],
    ['is in an encoding that cannot be read', { 'content-encoding': 'zstd' }, 'abc', 'upstream_error'],
    ['is not text', { 'content-type': 'audio/mpeg' }, Buffer.from([0xff, 0xfb, 0x90, 0x00]), 'upstream_error'],
  ] as const) {
    test(`turns an answer with status 200 that ${name} into an error event`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
      const received = new Events(await post(app.url + openai.path, openai.request))
      ;(await provider.next()).res.writeHead(200, headers).end(body)
      assert.equal(openai.errorInEvent(await nextOf(received)).code, expected)
      assert.equal(await nextOf(received), undefined)
      const { outcome, code } = await app.record()
      assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: expected })
    })
  }

  test('does not apply to a request that does not ask for a stream', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 5, beforeFirstByte: true } })
    const answer = post(app.url + openai.path, { model: 'm' })
    ;(await provider.next()).json(429, { error: { message: 'slow down' } })
    assert.equal((await answer).status, 429)
  })
})
