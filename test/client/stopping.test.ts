import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { resumable, stop } from '../../lib/client.js'
import { FakeServer, ID, ORIGIN, STREAM_PATH } from './fake-server.js'
import { threeEventServer, URL_ASKED } from './reading.js'

/** Reads the first event of a stream, with a cut after it or without. */
async function firstRead(options: Parameters<typeof threeEventServer>[0] = {}, cut = false) {
  const given = threeEventServer(options)
  const { server, bytesOf } = given
  server.chunks = [bytesOf(1)]
  if (cut) server.cuts.push({ after: bytesOf(1), how: 'error' })
  const user = new AbortController()
  const response = await given.post({ signal: user.signal, headers: { authorization: 'Bearer sk-client' } })
  const reader = response.body!.getReader()
  const { value } = await reader.read()
  assert.equal(value!.length, bytesOf(1))
  return { ...given, user, response, reader }
}

const methods = (server: FakeServer) => server.requests.map(({ method }) => method)

describe('an abort by the caller', () => {
  test('fails the body with its reason, and stops the provider', async () => {
    const { server, user, reader } = await firstRead()
    const reason = new Error('the user has pressed Stop')
    const next = reader.read()
    user.abort(reason)
    await assert.rejects(next, reason)
    await assert.rejects(reader.read(), reason)
    await server.stopped
    const { method, url, headers, init } = server.requests.at(-1)!
    assert.equal(method, 'DELETE')
    assert.equal(url, ORIGIN + STREAM_PATH)
    assert.equal(headers.get('authorization'), 'Bearer sk-client')
    assert.equal((init as RequestInit).keepalive, true)
    assert.equal((init as RequestInit).signal, undefined)
    assert.equal(server.requests.length, 2)
  })

  test('does so if nobody is reading', async () => {
    const { server, user, reader } = await firstRead()
    user.abort()
    await assert.rejects(reader.read(), { name: 'AbortError' })
    await server.stopped
  })

  test('while an attempt is awaited: none follows', async () => {
    const { server, environment, user, reader } = await firstRead({}, true)
    environment.passes = false
    const next = reader.read()
    await environment.asleep
    user.abort()
    await assert.rejects(next, { name: 'AbortError' })
    await server.stopped
    environment.wake()
    assert.deepEqual(methods(server), ['POST', 'DELETE'])
  })

  test('while the browser is offline', async () => {
    const { server, environment, user, reader } = await firstRead({}, true)
    environment.offline = true
    const next = reader.read()
    await environment.asleep
    user.abort()
    await assert.rejects(next, { name: 'AbortError' })
    await server.stopped
    assert.deepEqual(methods(server), ['POST', 'DELETE'])
  })

  test('while an attempt is under way: it is aborted', async () => {
    const told: object[] = []
    const { server, user, reader } = await firstRead({ onInterrupted: (event) => told.push(event) }, true)
    const aborted = new Promise<void>((resolve) => {
      server.answers.push(({ init }) => {
        const { signal } = init as RequestInit
        return new Promise((_, reject) => {
          signal!.addEventListener('abort', () => {
            resolve()
            reject(signal!.reason)
          })
          user.abort()
        })
      })
    })
    await assert.rejects(reader.read(), { name: 'AbortError' })
    await aborted
    await server.stopped
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(methods(server), ['POST', 'GET', 'DELETE'])
    assert.equal(told.length, 1)
  })

  test("with onAbort: 'leave' only leaves", async () => {
    const { server, user, reader } = await firstRead({ onAbort: 'leave' })
    user.abort()
    await assert.rejects(reader.read(), { name: 'AbortError' })
    assert.deepEqual(methods(server), ['POST'])
  })

  test('after the end does nothing', async () => {
    const { server, user, reader } = await firstRead()
    while (!(await reader.read()).done);
    user.abort()
    assert.deepEqual(methods(server), ['POST'])
    assert.deepEqual(await reader.read(), { done: true, value: undefined })
  })

  test('is not listened to after the end, however it comes: a signal may outlive many requests', async () => {
    const { signal } = new AbortController()
    const { server, bytesOf } = threeEventServer()
    const ask = resumable((_url: string, _init: { signal: AbortSignal }) => server.fetch(URL_ASKED), {
      retries: 0,
      onAbort: 'leave',
    })
    const ways: readonly [cut: boolean, finish: (response: Response) => Promise<unknown>][] = [
      [false, (response) => response.text()],
      [false, (response) => response.body!.cancel()],
      [true, (response) => assert.rejects(response.text(), { name: 'ResumeError' })],
    ]
    for (const [cut, finish] of ways) {
      if (cut) server.cuts.push({ after: bytesOf(1), how: 'error' })
      const response = await ask(URL_ASKED, { signal })
      assert.equal(getEventListeners(signal, 'abort').length, 1)
      await finish(response)
      assert.equal(getEventListeners(signal, 'abort').length, 0)
    }
  })

  test('before the answer fails the request, as without this module', async () => {
    const { server, post } = threeEventServer()
    await assert.rejects(post({ signal: AbortSignal.abort() }), { name: 'AbortError' })
    assert.deepEqual(methods(server), ['POST'])
  })

  test('that meets a fetch that throws at once is no uncaught exception', async () => {
    const { server } = threeEventServer()
    const user = new AbortController()
    const throwing = (_url: string, init: RequestInit): Promise<Response> => {
      if (init.method === 'DELETE') throw new Error('not allowed here')
      return server.fetch(URL_ASKED, init)
    }
    const response = await resumable(throwing)(URL_ASKED, { method: 'POST', signal: user.signal })
    user.abort()
    await assert.rejects(response.text(), { name: 'AbortError' })
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('that fails to reach the server is no unhandled rejection', async () => {
    const { server, user, reader } = await firstRead({ streamsUrl: () => 'http://[' })
    user.abort()
    await assert.rejects(reader.read(), { name: 'AbortError' })
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(methods(server), ['POST'])
  })

  test('of the signal of a Request counts, unless the init takes it away', async () => {
    for (const [init, stops] of [[undefined, true] as const, [{ signal: null }, false] as const]) {
      const { server, wrapped } = threeEventServer()
      const user = new AbortController()
      const request = new Request(URL_ASKED, { method: 'POST', body: '{}', signal: user.signal })
      const response = await wrapped(request, init)
      user.abort()
      if (stops) await assert.rejects(response.text(), { name: 'AbortError' })
      else assert.equal(await response.text(), server.whole.toString())
      assert.equal(methods(server).includes('DELETE'), stops)
    }
  })
})

describe('cancelling the body', () => {
  test('stops the provider and lets go of the connection', async () => {
    const { server, reader } = await firstRead()
    await reader.cancel('enough')
    await server.stopped
    assert.deepEqual(server.cancelled, ['enough'])
    assert.deepEqual(methods(server), ['POST', 'DELETE'])
  })

  test('by leaving a loop does so', async () => {
    const { server, post } = threeEventServer()
    for await (const _ of (await post()).body as unknown as AsyncIterable<Uint8Array>) break
    await server.stopped
  })

  test("with onAbort: 'leave' only lets go of the connection", async () => {
    const { server, reader } = await firstRead({ onAbort: 'leave' })
    await reader.cancel('enough')
    assert.deepEqual(server.cancelled, ['enough'])
    assert.deepEqual(methods(server), ['POST'])
  })

  test('while an attempt is awaited: none follows', async () => {
    const { server, environment, reader } = await firstRead({ onAbort: 'leave' }, true)
    environment.passes = false
    const next = reader.read()
    await environment.asleep
    await reader.cancel()
    assert.deepEqual(await next, { done: true, value: undefined })
    environment.wake()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(methods(server), ['POST'])
  })
})

describe('stop()', () => {
  test('stops the stream of a response, with its credentials', async () => {
    const { server, response } = await firstRead()
    assert.equal(await stop(response), true)
    assert.equal(server.requests.at(-1)!.method, 'DELETE')
    assert.equal(server.requests.at(-1)!.headers.get('authorization'), 'Bearer sk-client')
  })

  test('stops the stream of a clone', async () => {
    const { server, post } = threeEventServer()
    assert.equal(await stop((await post()).clone().clone()), true)
    assert.equal(methods(server).at(-1), 'DELETE')
  })

  test('stops a stream by its id', async () => {
    const server = new FakeServer({ events: [] })
    const headers = { authorization: 'Bearer sk-client' }
    assert.equal(
      await stop(ID, { fetch: server.fetch, streamsUrl: `${ORIGIN}/ai/-/streams`, headers, credentials: 'include' }),
      true,
    )
    const [seen] = server.requests
    assert.equal(seen!.url, ORIGIN + STREAM_PATH)
    assert.equal(seen!.headers.get('authorization'), 'Bearer sk-client')
    assert.equal((seen!.init as RequestInit).credentials, 'include')
  })

  test('says whether there was a stream, and throws if the server refuses', async () => {
    const answering = (status: number) => ({
      fetch: async () => new Response(null, { status }),
      streamsUrl: `${ORIGIN}/ai/-/streams`,
    })
    assert.equal(await stop(ID, answering(404)), false)
    assert.equal(await stop(ID, answering(410)), false)
    await assert.rejects(stop(ID, answering(403)), { name: 'ResumeError', code: 'refused', status: 403, streamId: ID })
  })

  test('throws if there is nothing to say where the stream is', async () => {
    await assert.rejects(stop(ID), TypeError)
    await assert.rejects(stop(ID, { streamsUrl: '' }), TypeError)
    await assert.rejects(stop('../x', { streamsUrl: '/ai/-/streams' }), /22 characters/)
    await assert.rejects(stop(new Response('not ours')), TypeError)
  })
})
