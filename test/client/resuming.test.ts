import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ResumableOptions, StreamInterruption, StreamResumption } from '../../lib/client/options.js'
import { resumable } from '../../lib/client.js'
import { FakeServer, ID, ORIGIN, STREAM_PATH } from './fake-server.js'
import { failing, threeEventServer, threeEvents, URL_ASKED } from './reading.js'

describe("a body with `connection: close`, of which Node's fetch takes any end for that of the body,", () => {
  const closing = (options: ResumableOptions = {}) => {
    const given = threeEventServer(options)
    given.server.headers.connection = 'close'
    return given
  }
  const onInterrupted = () => assert.fail('nothing broke')
  const methods = ({ requests }: FakeServer) => requests.map(({ method }) => method).join(' ')

  test('goes on if the server has more', async () => {
    const interruptions: StreamInterruption[] = []
    const { server, post, bytesOf } = closing({ onInterrupted: (event) => interruptions.push(event) })
    const cut = { after: bytesOf(1), how: 'end' } as const
    server.cuts.push(cut, cut)
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.deepEqual(server.resumed, ['?after=k1.1', '?after=k1.2'])
    assert.equal(methods(server), 'POST HEAD GET HEAD GET HEAD')
    assert.deepEqual(
      interruptions.map(({ after, cause }) => [after, (cause as Error).message]),
      ['k1.1', 'k1.2'].map((after) => [after, 'the connection was closed before the end of the body']),
    )
  })

  test('is over if the server has no more', async () => {
    const { server, post } = closing({ onInterrupted })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.equal(methods(server), 'POST HEAD')
  })

  for (const [what, stand] of [
    ['does not know it any more', () => new Response(null, { status: 404 })],
    ['is not the one that is asked', () => new Response('Sign in')],
    ['cannot read its store', () => new Response(null, { status: 503, headers: { 'x-stream-state': 'unknown' } })],
  ] as const) {
    test(`is over if the server ${what}`, async () => {
      const { server, post } = closing({ onInterrupted })
      server.stands.push(stand)
      assert.equal(await (await post()).text(), server.whole.toString())
    })
  }

  for (const [what, stand] of [
    ['cannot be reached', () => Promise.reject(new TypeError('fetch failed'))],
    ['is overloaded', () => new Response(null, { status: 503 })],
  ] as const) {
    test(`goes on once the server can say so, which ${what}`, async () => {
      const { server, post, bytesOf } = closing()
      server.cuts.push({ after: bytesOf(2), how: 'end' })
      server.stands.push(stand)
      assert.equal(await (await post()).text(), server.whole.toString())
    })
  }

  test('is over if the server knows a little later that it is', async () => {
    const { server, environment, post } = closing({ onInterrupted })
    server.state = 'open'
    server.stands.push(() => {
      server.state = 'complete'
      return new Response(null, { headers: { 'x-stream-state': 'open', 'x-stream-newest': '3' } })
    })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.equal(methods(server), 'POST HEAD HEAD')
    assert.deepEqual(environment.slept, [1000])
  })

  test('is asked for once more if the server has not noticed the end', async () => {
    const { server, post } = closing()
    server.state = 'open'
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.equal(methods(server), 'POST HEAD HEAD GET')
  })

  const error = 'data: {"error":{"code":"stream_lost"}}'

  test('goes on to the error event if the process that wrote it is gone, and is over after that', async () => {
    const { server, post } = closing()
    server.state = 'lost'
    const headers = { connection: 'close', 'content-type': 'text/event-stream' }
    server.answers.push(() => new Response(`${error}\n\n`, { headers }))
    assert.equal(await (await post()).text(), `${server.whole}${error}\n\n`)
    assert.equal(methods(server), 'POST HEAD GET')
  })

  test('so does one whose events have no ids', async () => {
    const contentType = 'application/x-ndjson'
    const server = new FakeServer({ events: [Buffer.from('{"n":1}\n')], contentType })
    server.headers.connection = 'close'
    server.state = 'lost'
    const headers = { connection: 'close', 'content-type': contentType }
    server.answers.push(() => new Response('{"error":"lost"}\n', { headers }))
    const wrapped = resumable(server.fetch, { backoff: { baseMs: 0 } })
    assert.equal(await (await wrapped(URL_ASKED)).text(), '{"n":1}\n{"error":"lost"}\n')
    assert.equal(methods(server), 'GET HEAD GET HEAD')
  })

  test('fails if nothing may be asked again', async () => {
    const { server, post, bytesOf } = closing({ retries: false })
    server.cuts.push({ after: bytesOf(1), how: 'end' })
    assert.equal((await failing(await post())).error.code, 'retries_exhausted')
  })

  test('is over if nothing says where the server has it', async () => {
    const { server, post } = closing({ onInterrupted })
    delete server.headers['x-stream-url']
    assert.equal(await (await post()).text(), server.whole.toString())
  })
})

describe('what is asked for', () => {
  test('a second break continues after the last event, not where the first did', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' }, { after: bytesOf(1) + 3, how: 'error' })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.deepEqual(server.resumed, ['?after=k1.1', '?after=k1.2'])
  })

  test('without an event so far, everything is asked for', async () => {
    const { server, post } = threeEventServer()
    server.cuts.push({ after: 4, how: 'error' })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.deepEqual(server.resumed, ['?after=0'])
  })

  test('the request has the credentials and headers of the original one, and nothing of its body', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const headers = {
      authorization: 'Bearer sk-client',
      'x-app': 'chat',
      'content-type': 'application/json',
      'if-none-match': '"x"',
      'last-event-id': 'other',
    }
    await (await post({ headers, credentials: 'include', mode: 'cors', referrerPolicy: 'no-referrer' })).text()
    const [, seen] = server.requests
    assert.deepEqual(Object.fromEntries(seen!.headers), { authorization: 'Bearer sk-client', 'x-app': 'chat' })
    const { credentials, mode, referrerPolicy, redirect, body } = seen!.init as RequestInit
    assert.deepEqual(
      { credentials, mode, referrerPolicy, redirect, body },
      { credentials: 'include', mode: 'cors', referrerPolicy: 'no-referrer', redirect: 'manual', body: undefined },
    )
  })

  test('so it has if the original one is a Request', async () => {
    const { server, wrapped, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const headers = { authorization: 'Bearer sk-client' }
    const request = new Request(URL_ASKED, { method: 'POST', body: '{}', headers, credentials: 'include' })
    assert.equal(await (await wrapped(request)).text(), server.whole.toString())
    const [, seen] = server.requests
    assert.equal(seen!.headers.get('authorization'), 'Bearer sk-client')
    assert.equal((seen!.init as RequestInit).credentials, 'include')
  })

  test('settings that only some runtimes know are kept', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const own = { verbose: true, duplex: 'half' } as RequestInit
    await (await post(own)).text()
    assert.equal((server.requests[1]!.init as { verbose?: boolean }).verbose, true)
    assert.equal('duplex' in server.requests[1]!.init, false)
  })

  test('events that the server sends again are dropped', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(2), how: 'error' })
    server.answers.push(
      () => new Response(new Uint8Array(server.whole), { headers: { 'content-type': 'text/event-stream' } }),
    )
    assert.equal(await (await post()).text(), server.whole.toString())
  })

  test('numbers may be left out', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const rest = `id: k1.3\n${threeEvents[2]}`
    server.answers.push(() => new Response(rest, { headers: { 'content-type': 'text/event-stream' } }))
    assert.equal(await (await post()).text(), `id: k1.1\n${threeEvents[0]}${rest}`)
  })

  test('comments have no number, and pass', async () => {
    const events = [': heartbeat\n\n', ...threeEvents, ': heartbeat\n\n']
    const server = new FakeServer({
      events: events.map((event) => Buffer.from(event)),
      isComment: (event) => event[0] === 58,
    })
    server.cuts.push({ after: events[0]!.length + 2, how: 'error' })
    const response = await resumable(server.fetch, { backoff: { maxMs: 0 } })(URL_ASKED, { method: 'POST' })
    assert.equal(await response.text(), server.whole.toString())
    assert.deepEqual(server.resumed, ['?after=0'])
  })

  test('an answer that is itself a continuation goes on from there', async () => {
    const { server, wrapped, bytesOf } = threeEventServer()
    server.cuts.push({ after: 3, how: 'error' })
    const response = await wrapped(`${ORIGIN}${STREAM_PATH}?after=k1.1`)
    assert.equal(await response.text(), server.whole.subarray(bytesOf(1)).toString())
    assert.deepEqual(server.resumed, ['?after=k1.1', '?after=k1.1'])
  })
})

describe('where it is asked for', () => {
  test('x-stream-url of another origin is not used', async () => {
    for (const url of [`https://evil.example${STREAM_PATH}`, `//evil.example${STREAM_PATH}`, 'http://', 'data:,x']) {
      const { server, post, bytesOf } = threeEventServer()
      server.headers['x-stream-url'] = url
      server.cuts.push({ after: bytesOf(1), how: 'error' })
      const { error, text } = await failing(await post())
      assert.equal(error.code, 'no_url', url)
      assert.equal(text, server.whole.subarray(0, bytesOf(1)).toString())
      assert.equal(server.requests.length, 1)
    }
  })

  test('neither is one of an answer that was redirected to another origin', async () => {
    const { server, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const redirected: typeof fetch = async (input, init) => {
      const response = await server.fetch(input, init)
      Object.defineProperties(response, { url: { value: 'https://other.example/x' }, redirected: { value: true } })
      return response
    }
    const response = await resumable(redirected)(URL_ASKED, { method: 'POST' })
    assert.equal((await failing(response)).error.code, 'no_url')
  })

  test('streamsUrl is a URL to which the id is added, or a function', async () => {
    for (const streamsUrl of [
      `${ORIGIN}/ai/-/streams`,
      `${ORIGIN}/ai/-/streams/`,
      ({ id, url }: { id: string; url: string }) => `${new URL(url).origin}/ai/-/streams/${id}`,
    ]) {
      const { server, post, bytesOf } = threeEventServer({ streamsUrl })
      delete server.headers['x-stream-url']
      server.cuts.push({ after: bytesOf(1), how: 'error' })
      assert.equal(await (await post()).text(), server.whole.toString())
    }
  })

  test('streamsUrl goes before x-stream-url, which a proxy in between may have made wrong', async () => {
    const { server, post, bytesOf } = threeEventServer({ streamsUrl: `${ORIGIN}/ai/-/streams` })
    server.headers['x-stream-url'] = '/inner/-/streams/x'
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    assert.equal(await (await post()).text(), server.whole.toString())
  })

  test('a query of the URL is kept', async () => {
    const { server, post, bytesOf } = threeEventServer({ streamsUrl: ({ id }) => `${ORIGIN}/ai/-/streams/${id}?a=b#c` })
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    await (await post()).text()
    assert.deepEqual(server.resumed, ['?a=b&after=k1.1'])
  })
})

describe('what the server answers', () => {
  test('204: the stream is over, and ends', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(3), how: 'error' })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.deepEqual(server.resumed, ['?after=k1.3'])
  })

  for (const [status, code, reason] of [
    [410, 'gone', /does not keep/],
    [404, 'not_found', /does not know/],
    [401, 'refused', /credentials/],
    [403, 'refused', /not allow/],
    [400, 'refused', /refuses/],
    [302, 'refused', /refuses/],
  ] as const) {
    test(`${status}: the body fails at once, and says why`, async () => {
      const { server, environment, post, bytesOf } = threeEventServer()
      server.cuts.push({ after: bytesOf(2), how: 'error' })
      server.answers.push(() => new Response(status === 302 ? null : '{}', { status, headers: { location: '/login' } }))
      const { error, text } = await failing(await post())
      assert.equal(text, server.whole.subarray(0, bytesOf(2)).toString())
      assert.equal(error.code, code)
      assert.equal(error.status, status)
      assert.equal(error.streamId, ID)
      assert.match(error.message, reason)
      assert.match(error.message, new RegExp(`${status}`))
      assert.equal((error.cause as Error).message, 'terminated')
      assert.equal(environment.slept.length, 1)
    })
  }

  test('events of another epoch: the body fails, and none of them is delivered', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    server.answers.push(
      () => new Response('id: k2.2\ndata: other\n\n', { headers: { 'content-type': 'text/event-stream' } }),
    )
    const { error, text } = await failing(await post())
    assert.equal(error.code, 'gone')
    assert.match(error.message, /epoch k2 instead of k1/)
    assert.equal(text, server.whole.subarray(0, bytesOf(1)).toString())
  })

  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    test(`${status}: another attempt follows`, async () => {
      const { server, post, bytesOf } = threeEventServer()
      server.cuts.push({ after: bytesOf(1), how: 'error' })
      server.answers.push(() => new Response('no', { status }))
      assert.equal(await (await post()).text(), server.whole.toString())
      assert.equal(server.resumed.length, 2)
    })
  }

  test('retry-after is respected, in seconds and as a date', async () => {
    const { server, environment, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    environment.time = Date.parse('2026-01-01T00:00:00Z')
    const date = 'Thu, 01 Jan 2026 00:00:20 GMT'
    for (const wait of ['7', date, '0', 'soon']) {
      server.answers.push(() => new Response('', { status: 503, headers: { 'retry-after': wait } }))
    }
    server.answers.splice(1, 0, () => Promise.reject(new TypeError('Failed to fetch')))
    await (await post()).text()
    assert.deepEqual(environment.slept, [125, 7000, 500, 20_000, 2000, 4000])
  })

  test('a server that asks for more than five minutes is not waited for', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    server.answers.push(() => new Response('', { status: 429, headers: { 'retry-after': '301' } }))
    const { error } = await failing(await post())
    assert.equal(error.code, 'wait_too_long')
  })

  test('an answer that is not the stream, as of a sign-in page of a network: another attempt follows', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    server.answers.push(
      () => new Response('<p>Sign in</p>\n\n', { headers: { 'content-type': 'text/html' } }),
      () =>
        new Response('id: k1.2\ndata: theirs\n\n', {
          headers: { 'content-type': 'text/event-stream', 'x-stream-id': ID.replace('a', 'b') },
        }),
    )
    assert.equal(await (await post()).text(), server.whole.toString())
  })
})

describe('attempts', () => {
  test('wait longer from one to the next, by chance, up to a bound', async () => {
    const { server, environment, post, bytesOf } = threeEventServer({
      retries: 8,
      backoff: { baseMs: 100, maxMs: 1000 },
    })
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    for (let count = 0; count < 8; count++) server.answers.push(() => Promise.reject(new TypeError('Failed to fetch')))
    const { error } = await failing(await post())
    assert.deepEqual(environment.slept, [50, 100, 200, 400, 500, 500, 500, 500])
    assert.equal(error.code, 'retries_exhausted')
    assert.equal((error.cause as Error).message, 'Failed to fetch')
    assert.equal(error.status, undefined)
  })

  test('wait no longer than a timer can, however many there are', async () => {
    const { server, environment, post, bytesOf } = threeEventServer({ retries: 40, backoff: { maxMs: Infinity } })
    environment.chance = 1
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    for (let count = 0; count < 40; count++) server.answers.push(() => Promise.reject(new TypeError('Failed to fetch')))
    await failing(await post())
    assert.equal(Math.max(...environment.slept), 2 ** 31 - 1)
  })

  test('start again after each event', async () => {
    const { server, environment, post, bytesOf } = threeEventServer({ retries: 1 })
    const length = bytesOf(1)
    server.cuts.push(...Array.from({ length: 4 }, () => ({ after: length, how: 'error' as const })))
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.deepEqual(environment.slept, [125, 125, 125])
  })

  test('end if none brings an event, comments or not', async () => {
    const { server, post, bytesOf } = threeEventServer({ retries: 3 })
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    for (let count = 0; count < 3; count++) {
      server.answers.push(() => new Response(': hello\n\ndata', { headers: { 'content-type': 'text/event-stream' } }))
    }
    const { error, text } = await failing(await post())
    assert.equal(error.code, 'retries_exhausted')
    assert.equal(text, `${server.whole.subarray(0, bytesOf(1))}${': hello\n\n'.repeat(3)}`)
  })

  for (const retries of [false, 0] as const) {
    test(`none is made with retries: ${retries}`, async () => {
      const { server, post, bytesOf } = threeEventServer({ retries })
      server.cuts.push({ after: bytesOf(1), how: 'error' })
      const { error } = await failing(await post())
      assert.equal(error.code, 'retries_exhausted')
      assert.equal(server.requests.length, 1)
    })
  }

  test('are told to the callbacks', async () => {
    const seen: object[] = []
    const { server, post, bytesOf } = threeEventServer({
      onInterrupted: ({ cause, ...told }: StreamInterruption) =>
        seen.push({ ...told, cause: (cause as Error).message }),
      onResumed: (told: StreamResumption) => seen.push(told),
    })
    server.cuts.push({ after: bytesOf(2), how: 'error' })
    server.answers.push(() => new Response('', { status: 503 }))
    await (await post()).text()
    const of = { id: ID, after: 'k1.2' }
    assert.deepEqual(seen, [
      { ...of, attempt: 1, delayMs: 125, offline: false, cause: 'terminated' },
      { ...of, attempt: 2, delayMs: 250, offline: false, cause: 'the server answered with status 503' },
      { ...of, attempts: 2 },
    ])
  })

  test('a callback that throws does not break the stream', async (t) => {
    const errors = t.mock.method(console, 'error', () => {})
    const { server, post, bytesOf } = threeEventServer({
      onInterrupted: () => {
        throw new Error('mine')
      },
    })
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    assert.equal(await (await post()).text(), server.whole.toString())
    assert.equal(errors.mock.calls.length, 1)
    assert.equal((errors.mock.calls[0]!.arguments[0] as Error).message, 'mine')
  })

  test('wait for the network while the browser is offline', async () => {
    const offline: boolean[] = []
    const { server, environment, post, bytesOf } = threeEventServer({
      onInterrupted: (told) => offline.push(told.offline),
    })
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    environment.offline = true
    const text = (await post()).text()
    await environment.asleep
    assert.equal(environment.waitingForNetwork, 1)
    assert.equal(server.requests.length, 1)
    environment.goOnline()
    assert.equal(await text, server.whole.toString())
    assert.deepEqual(offline, [true])
  })
})
