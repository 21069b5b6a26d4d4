import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import supertest, { type Response, type Test } from 'supertest'
import { sendStream } from '../e2e/support/streams.js'
import { type Answering, bothWays, type Way } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { providersRequestId } from './request-ids.js'
import { chatTextIn, eventsIn } from './sse-text.js'
import { beginning, chat } from './wires.js'

const { path, request } = chat.stream
const told = { 'x-request-id': 'req-1', 'retry-after': '7' }

/** A request to the app as a function, on no port of its own; or to the provider. */
function requestTo({ app, url }: Way, method: 'get' | 'post', target: string): Test {
  const to = app ? supertest(app)[method](`/ai${target}`) : supertest(url)[method](target)
  return to.set('authorization', 'Bearer sk-client')
}

const post = (way: Way, body: object) => requestTo(way, 'post', path).send(body)

type Done = (error: Error | null, body?: unknown) => void
/** The events of a response, for a parser of one's own. */
const received = (response: object) => eventsIn(response as NodeJS.ReadableStream)

/** What a test would look at. */
function seen({ status, type, charset, body, text, headers, error }: Response) {
  const header = (name: string) => headers[name] as string | undefined
  return {
    ...{ status, type, charset, body: body as unknown, text },
    headers: [header('content-type'), header('retry-after'), providersRequestId(header)],
    error: error && { status: error.status, text: error.text },
  }
}

describe('supertest', () => {
  for (const [what, answering, status] of [
    ['JSON', (call) => call.json(200, chat.answer, told), 200],
    ['an error', (call) => call.json(429, chat.refusal, told), 429],
    ['nothing', ({ res }) => res.writeHead(204).end(), 204],
  ] satisfies [string, Answering, number][]) {
    test(what, async (t) => {
      await bothWays(t, answering, async (way) => seen(await post(way, { ...request, stream: false }).expect(status)))
    })
  }

  test('an HTML page of a gateway is plain text after the proxy', async (t) => {
    const page: Answering = ({ res }) => res.writeHead(502, { 'content-type': 'text/html' }).end('<p>Oh</p>')
    const types: string[] = []
    await bothWays(t, page, async (way) => {
      const { type, status, text } = seen(await post(way, { ...request, stream: false }).expect(502))
      types.push(type)
      return { status, text }
    })
    assert.deepEqual(types.sort(), ['text/html', 'text/plain'])
  })

  test('a list is read by GET', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => call.json(200, { data: [{ id: 'gpt-test' }] }),
      async (way) => seen(await requestTo(way, 'get', '/v1/models?limit=1').expect('content-type', /json/)),
    )
    assert.deepEqual(result.body, { data: [{ id: 'gpt-test' }] })
  })

  test('a stream is read as text', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => sendStream(call, chat.stream, chat.stream.frames).end(),
      async (way) =>
        seen(
          await post(way, request)
            .expect(200)
            .expect('content-type', /event-stream/),
        ),
    )
    assert.equal(result.text, Buffer.concat(chat.stream.frames).toString())
  })

  test('a stream is read piece by piece', async (t) => {
    await bothWays(
      t,
      (call) => sendStream(call, chat.stream, []),
      async (way) => {
        const { body } = await post(way, request).parse((response: object, done: Done) => {
          const events = readInStep(way.provider, chat.stream, received(response), chatTextIn)
          events.then((all) => done(null, all)).catch(done)
        })
        return body as unknown
      },
    )
  })

  test('abort() stops the provider', async (t) => {
    const { app } = await bothWays(
      t,
      (call) => sendStream(call, chat.stream, beginning(chat.stream)),
      async (way) => {
        const asked = post(way, request)
        const first = new Promise((resolve, reject) => {
          asked.parse((response: object, _done: Done) => {
            new Reader(received(response), chatTextIn).nextText().then(resolve, reject)
          })
        })
        asked.then(undefined, () => {})
        const text = await first
        asked.abort()
        await (await way.provider.next()).gone
        return text
      },
    )
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })
})
