import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { assertTold, chatUsage, sendStream, streams } from './support/streams.js'
import { until } from './support/waiting.js'

const { chat } = streams
const { stream_options: _, ...unasked } = chat.request
const told = chat.frames.filter((frame) => frame !== chatUsage)
const refusal = {
  error: { message: 'Unrecognized request argument supplied: stream_options', type: 'invalid_request_error' },
}
const other = { error: { message: 'max_tokens is too large', type: 'invalid_request_error' } }

/** Servers that know no `stream_options`, and what one client after another gets from them. */
async function serve(
  t: Owner,
  bodies: readonly unknown[],
  answer: (call: Call, body: string) => void,
  options: Partial<AiProxyOptions> = {},
) {
  const sent: string[] = []
  const provider = await startProvider(t, {
    onCall: async (call) => {
      const body = await call.text
      sent.push(body)
      answer(call, body)
    },
  })
  const app = await startApp(t, { target: provider.url, ...options })
  const received: [status: number, text: string][] = []
  const records = []
  for (const body of bodies) {
    const response = await post(app.url + chat.path, body)
    received.push([response.status, await response.text()])
    records.push(await app.record())
  }
  return { sent: sent.map((body) => body.includes('stream_options')), received, records }
}

const strict = (status: number) => (call: Call, body: string) => {
  if (body.includes('stream_options')) call.json(status, refusal)
  else sendStream(call, chat, told).end()
}
const text = Buffer.concat(told).toString()

describe('a provider that rejects the request for usage', () => {
  for (const status of [400, 422]) {
    test(`with ${status} gets the request again without it, and no further ones with it`, async (t) => {
      const { sent, received, records } = await serve(t, [unasked, unasked], strict(status))
      assert.deepEqual(sent, [true, false, false])
      assert.deepEqual(received, [
        [200, text],
        [200, text],
      ])
      for (const record of records) assertTold(record, { outcome: 'completed', status: 200, events: told.length })
    })
  }

  test('for one model is still asked for others', async (t) => {
    const { sent } = await serve(t, [unasked, { ...unasked, model: 'other' }], strict(400))
    assert.deepEqual(sent, [true, false, true, false])
  })

  test('and reports usage without being asked: the client gets the usage, as it would without the proxy', async (t) => {
    const { sent, received } = await serve(t, [unasked], (call, body) => {
      if (body.includes('stream_options')) call.json(400, refusal)
      else sendStream(call, chat, chat.frames).end()
    })
    assert.deepEqual([sent, received], [[true, false], [[200, Buffer.concat(chat.frames).toString()]]])
  })

  test('after the client has left gets no second request, and the exchange ends', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain' })
    const client = (await connect(t, app.port)).post(`/ai${chat.path}`, unasked)
    const call = await provider.next()
    client.leave()
    await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'it is drained')
    call.json(400, refusal)
    assert.equal((await app.record()).outcome, 'client_disconnect')
    assert.equal(provider.calls.length, 1)
  })

  test('and then fails the second request as well is asked again next time', async (t) => {
    const { sent, received } = await serve(t, [unasked, unasked], (call, body) => {
      call.json(400, body.includes('stream_options') ? refusal : other)
    })
    assert.deepEqual(sent, [true, false, true, false])
    assert.deepEqual(received, Array(2).fill([400, JSON.stringify(other)]))
  })
})

describe('an error passes unchanged', () => {
  test('if it is about something else', async (t) => {
    const { sent, received } = await serve(t, [unasked], (call) => call.json(400, other))
    assert.deepEqual([sent, received], [[true], [[400, JSON.stringify(other)]]])
  })

  test('if it is large, and names the option only at its end', async (t) => {
    const large = { error: { message: `${'x'.repeat(200_000)} stream_options` } }
    const { sent, received } = await serve(t, [unasked], (call) => call.json(400, large))
    assert.deepEqual([sent, received], [[true], [[400, JSON.stringify(large)]]])
  })

  test('if it has no body', async (t) => {
    const { sent, received } = await serve(t, [unasked], (call) =>
      call.raw('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'),
    )
    assert.deepEqual([sent, received], [[true], [[400, '']]])
  })

  test('if it has another status', async (t) => {
    const { sent, received } = await serve(t, [unasked], (call) => call.json(403, refusal))
    assert.deepEqual([sent, received], [[true], [[403, JSON.stringify(refusal)]]])
  })

  test('if the client asked for usage itself, or has stream_options of its own', async (t) => {
    for (const body of [chat.request, { ...unasked, stream_options: {} }, { ...unasked, stream: 'true' }]) {
      const { sent, received } = await serve(t, [body], (call) => call.json(400, refusal))
      assert.deepEqual([sent, received], [[true], [[400, JSON.stringify(refusal)]]])
    }
  })

  test('if a hook has seen the bytes, for a signature', async (t) => {
    const onRequest: AiProxyOptions['onRequest'] = ({ rawBody, headers }) => {
      headers['x-length'] = String(rawBody?.length)
    }
    const { sent } = await serve(t, [unasked], (call) => call.json(400, refusal), { onRequest })
    assert.deepEqual(sent, [true])
  })

  for (const [what, signs, expected] of [
    ['if a hook has signed the attempt', true, [true]],
    ['but not if a hook has only looked at the attempt', false, [true, false]],
  ] as const) {
    test(what, async (t) => {
      const onAttempt: AiProxyOptions['onAttempt'] = ({ request }) => {
        if (signs) request.headers.authorization = `signed ${request.body?.length}`
      }
      const { sent } = await serve(t, [unasked], (call) => call.json(400, refusal), { onAttempt })
      assert.deepEqual(sent, expected)
    })
  }

  test('as a broken answer if it breaks off', async (t) => {
    const { sent, received, records } = await serve(t, [unasked], (call) => {
      call.raw('HTTP/1.1 400 Bad Request\r\ncontent-length: 1000\r\n\r\n{"error"').socket.end()
    })
    assert.deepEqual([sent, received[0]?.[0], records[0]?.code], [[true], 502, 'upstream_reset'])
  })
})
