import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { quota } from '../../lib/quota.js'
import { type App, startApp } from './support/app.js'
import { post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { sseEvent } from './support/streams.js'

const output = [{ type: 'message', content: [{ type: 'output_text', text: 'Once upon a time' }] }]
const written = {
  id: 'resp_1',
  object: 'response',
  status: 'completed',
  output,
  usage: { input_tokens: 50, output_tokens: 7, total_tokens: 57 },
}
const unfinished = { ...written, status: 'in_progress', usage: null }

/** An app whose provider answers with these, one after the other. */
async function appFor(t: Owner, ...answers: readonly object[]): Promise<App> {
  const left = [...answers]
  const provider = await startProvider(t, { onCall: (call) => call.json(200, left.shift()) })
  return startApp(t, { target: provider.url })
}

async function totalsOf(app: App, ...paths: readonly string[]): Promise<(number | undefined)[]> {
  const totals: (number | undefined)[] = []
  for (const path of paths) {
    const isRead = path.startsWith('GET ')
    const url = `${app.url}/v1/${path.replace('GET ', '')}`
    await (await (isRead ? fetch(url) : post(url, { model: 'm', input: 'Hi' }))).text()
    totals.push((await app.record()).tokens?.total)
  }
  return totals
}

describe('an answer that the provider keeps is in one record with its usage', () => {
  test('in that of the request for it, not of those who read or cancel it afterwards', async (t) => {
    const app = await appFor(t, written, written, written, { ...written, id: 'resp_2' })
    const paths = ['responses', 'GET responses/resp_1', 'responses/resp_1/cancel', 'GET responses/resp_2']
    assert.deepEqual(await totalsOf(app, ...paths), [57, undefined, undefined, 57])
  })

  test('in that of the first who reads it as a stream, whether its usage is reported or estimated', async (t) => {
    const { usage, ...silent } = written
    for (const [last, total] of [
      [written, 57],
      [silent, 4],
      [{ ...silent, status: 'failed', error: { code: 'server_error', message: 'No' } }, 4],
    ] as const) {
      const texts = [
        { type: 'response.output_text.delta', delta: 'Once upon a time' },
        { type: `response.${last.status}`, response: last },
      ]
      const provider = await startProvider(t, {
        onCall: (call) => call.sse(texts.map((text) => String(sseEvent(text, text.type)))).end(),
      })
      const app = await startApp(t, { target: provider.url })
      for (const expected of [total, undefined]) {
        await (await fetch(`${app.url}/v1/responses/resp_1?stream=true&starting_after=1`)).text()
        const { tokens, usage: recorded } = await app.record()
        assert.equal(tokens?.total, expected)
        if (expected === undefined) assert.equal(recorded, undefined)
      }
    }
  })

  test('in that of the first who reads it, if its usage is never reported', async (t) => {
    const app = await appFor(t, { ...unfinished, status: 'queued' }, { ...written, usage: null }, written)
    const read = 'GET responses/resp_1'
    assert.deepEqual(await totalsOf(app, 'responses', read, read), [0, 4, undefined])
  })

  test('in none of those who read it, if nothing shows that it is whole', async (t) => {
    const { status: _, usage: __, ...bare } = written
    const app = await appFor(t, bare, bare)
    assert.deepEqual(await totalsOf(app, 'GET responses/resp_1', 'GET responses/resp_1'), [undefined, undefined])
  })

  test('in part in that of each who gets a stream that breaks off, and in that of the first who reads it whole', async (t) => {
    const created = { type: 'response.created', response: { ...unfinished, output: [] } }
    const delta = { type: 'response.output_text.delta', delta: 'Once upon a time' }
    const events = [created, delta].map((event) => String(sseEvent(event, event.type)))
    const left = ['stream', 'stream', 'whole', 'whole']
    const provider = await startProvider(t, {
      onCall: (call) => (left.shift() === 'stream' ? call.sse(events).end() : call.json(200, written)),
    })
    const app = await startApp(t, { target: provider.url })
    const url = `${app.url}/v1/responses`
    await (await post(url, { model: 'm', input: 'Hi', stream: true, background: true })).text()
    await (await fetch(`${url}/resp_1?stream=true`)).text()
    const parts = [await app.record(), await app.record()]
    assert.deepEqual(
      parts.map(({ code, tokens }) => [code, tokens?.total]),
      [
        ['upstream_truncated', 4],
        ['upstream_truncated', 4],
      ],
    )
    const read = 'GET responses/resp_1'
    assert.deepEqual(await totalsOf(app, read, read), [57, undefined])
  })

  test('in that of the request for it, also if the provider sends a stream that was not asked for', async (t) => {
    for (const last of [
      { type: 'response.completed', response: written },
      { type: 'response.completed', response: { ...written, status: undefined } },
    ]) {
      const created = { type: 'response.created', response: { ...unfinished, output: [] } }
      const events = [created, last].map((event) => String(sseEvent(event, event.type)))
      const provider = await startProvider(t, { onCall: (call) => call.sse(events).end() })
      const app = await startApp(t, { target: provider.url })
      assert.deepEqual(await totalsOf(app, 'responses'), [57])
    }
  })

  test('a quota does not cut what was charged before', async (t) => {
    const text = 'Once upon a time there was a king who had nothing to do. '.repeat(3)
    const pieces = Array.from({ length: 10 }, () => ({ type: 'response.output_text.delta', delta: text }))
    const usage = { input_tokens: 10, output_tokens: 400, total_tokens: 410 }
    const last = { type: 'response.completed', response: { ...written, usage } }
    const events = [...pieces, last].map((event) => String(sseEvent(event, event.type)))
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end() })
    const limit = { key: 'ada', per: 'day', tokens: 500 } as const
    const app = await startApp(t, {
      target: provider.url,
      policies: [quota({ limits: () => [limit], onExhausted: 'cut' })],
    })
    const url = `${app.url}/v1/responses`
    const asked = { model: 'm', input: 'Hi', max_output_tokens: 450, stream: true, background: true }
    await (await post(url, asked)).text()
    assert.equal((await app.record()).tokens?.total, 410)
    const read = await (await fetch(`${url}/resp_1?stream=true`)).text()
    assert.match(read, /response\.completed/)
    assert.deepEqual([(await app.record()).outcome, provider.calls.length], ['completed', 2])
  })

  test('also an interaction of Google’s', async (t) => {
    const usage = { total_input_tokens: 50, total_output_tokens: 7, total_tokens: 57 }
    const interaction = { id: 'v1_1', status: 'completed', outputs: [{ type: 'text', text: 'Hi' }], usage }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, interaction) })
    const app = await startApp(t, { target: provider.url })
    const url = `${app.url}/v1beta/interactions`
    await (await post(url, { model: 'm', input: 'Hi' })).text()
    assert.equal((await app.record()).tokens?.total, 57)
    await (await fetch(`${url}/v1_1`)).text()
    assert.equal((await app.record()).tokens, undefined)
  })

  test('in that of the first who reads it whole, if it is written in the background', async (t) => {
    const queued = { ...unfinished, status: 'queued', output: [] }
    const app = await appFor(t, queued, unfinished, unfinished, written, written)
    const read = 'GET responses/resp_1'
    const totals = await totalsOf(app, 'responses', read, read, read, read)
    assert.deepEqual(totals, [0, undefined, undefined, 57, undefined])
  })

  test('in that of the first who reads it whole, also if the provider reports its usage before that', async (t) => {
    const none = { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
    const some = { input_tokens: 50, output_tokens: 2, total_tokens: 52 }
    const queued = { ...unfinished, status: 'queued', output: [], usage: none }
    const app = await appFor(t, queued, { ...unfinished, usage: some }, written, written)
    const read = 'GET responses/resp_1'
    assert.deepEqual(await totalsOf(app, 'responses', read, read, read), [0, undefined, 57, undefined])
  })
})
