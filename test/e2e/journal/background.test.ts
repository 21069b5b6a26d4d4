import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { memoryJournal } from '../../../lib/journal.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { startProvider } from '../support/provider.js'
import { sseEvent } from '../support/streams.js'
import { changedJournal } from './support.js'

const RESPONSES = '/v1/responses'
const request = { model: 'gpt-test', input: 'Tell a story', background: true }
const who = (req: { headers: Record<string, unknown> }) => String(req.headers['x-user'])
const as = (user: string) => ({ headers: { 'x-user': user } })

test('an answer in the background belongs to the subject that asked for it', async (t) => {
  const provider = await startProvider(t, {
    onCall: (call) => call.json(200, { id: 'resp_1', object: 'response', status: 'queued', output: [] }),
  })
  const app = await startApp(t, { target: provider.url, resume: { who } })
  assert.equal(((await (await post(app.url + RESPONSES, request, as('ada'))).json()) as { id: string }).id, 'resp_1')
  await app.record()
  const at = `${app.url + RESPONSES}/resp_1`
  const asked = async (url: string, user: string, method = 'GET') => (await fetch(url, { method, ...as(user) })).status
  assert.equal(await asked(`${at}?stream=true&starting_after=3`, 'ada'), 200)
  assert.equal(provider.calls.at(-1)!.url, `${RESPONSES}/resp_1?stream=true&starting_after=3`)
  assert.equal(await asked(`${at}/cancel`, 'ada', 'POST'), 200)
  const before = provider.calls.length
  for (const [url, method] of [[at], [`${at}/cancel`, 'POST'], [at, 'DELETE'], [`${at}/input_items`]] as const) {
    assert.equal(await asked(url, 'eve', method), 404)
  }
  assert.equal(await asked(`${app.url + RESPONSES}/resp_2`, 'ada'), 404)
  assert.equal(provider.calls.length, before)
})

test('nobody without a name reads an answer of which no owner is known', async (t) => {
  const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
  const resume = { who: (req: { headers: Record<string, unknown> }) => req.headers['x-user'] as string | undefined }
  const app = await startApp(t, { target: provider.url, resume })
  assert.equal((await fetch(`${app.url + RESPONSES}/resp_1`)).status, 404)
  assert.equal(provider.calls.length, 0)
})

test('an answer in the background is its owner’s as soon as its stream has named it', async (t) => {
  const provider = await startProvider(t)
  const journal = memoryJournal()
  const put = t.mock.method(journal, 'put')
  const app = await startApp(t, { target: provider.url, resume: { who, journal } })
  const response = {
    id: 'resp_9',
    object: 'response',
    status: 'in_progress',
    model: 'gpt-test',
    usage: null,
    output: [],
  }
  const asked = post(app.url + RESPONSES, { ...request, stream: true }, as('ada'))
  const call = await provider.next()
  call.sse([sseEvent({ type: 'response.created', sequence_number: 0, response }, 'response.created').toString()])
  const events = new Events(await asked)
  await events.next()
  call.send(sseEvent({ type: 'response.in_progress', sequence_number: 1, response }, 'response.in_progress'))
  await events.next()
  const reading = fetch(`${app.url + RESPONSES}/resp_9?stream=true&starting_after=1`, as('ada'))
  const second = await provider.next()
  second.json(200, {})
  assert.equal((await reading).status, 200)
  assert.equal((await fetch(`${app.url + RESPONSES}/resp_9`, as('eve'))).status, 404)
  call.end()
  await events.rest()
  const owners = put.mock.calls.filter(({ arguments: [name] }) => name === 'r:resp_9')
  assert.equal(owners.length, 1, 'not with each event')
})

test('the first event is enough, and the store may know it later than the client', async (t) => {
  const provider = await startProvider(t)
  let looks = 0
  const { journal } = changedJournal((memory) => ({
    get: async (name) => (name === 'r:resp_9' && looks++ < 2 ? undefined : memory.get(name)),
  }))
  const app = await startApp(t, { target: provider.url, resume: { who, journal } })
  const response = { id: 'resp_9', object: 'response', status: 'queued', model: 'gpt-test', output: [] }
  const asked = post(app.url + RESPONSES, { ...request, stream: true }, as('ada'))
  const call = await provider.next()
  call.sse([sseEvent({ type: 'response.created', sequence_number: 0, response }, 'response.created').toString()])
  const events = new Events(await asked)
  await events.next()
  const cancelled = post(`${app.url + RESPONSES}/resp_9/cancel`, {}, as('ada'))
  const second = await provider.next()
  second.json(200, {})
  assert.equal((await cancelled).status, 200)
  assert.equal(looks, 3)
  call.end()
  await events.rest()
})

test('only the owner of an answer can continue it, however its id is sent', async (t) => {
  let count = 0
  const provider = await startProvider(t, {
    onCall: (call) => call.json(200, { id: `resp_${++count}`, object: 'response', status: 'completed', output: [] }),
  })
  const app = await startApp(t, { target: provider.url, resume: { who } })
  const url = app.url + RESPONSES
  const ask = async (body: object | string | Buffer, user: string, headers: Record<string, string> = {}) => {
    const sent = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const all = { 'content-type': 'application/json', 'x-user': user, ...headers }
    const response = await fetch(url, { method: 'POST', body: sent, headers: all })
    await app.record()
    return response.status
  }
  const next = { model: 'gpt-test', input: 'Say that again', previous_response_id: 'resp_1' }
  assert.equal(await ask({ model: 'gpt-test', input: 'A secret' }, 'ada'), 200)
  assert.equal(await ask(next, 'ada'), 200)
  const text = JSON.stringify(next)
  const before = provider.calls.length
  assert.equal(await ask(next, 'eve'), 404)
  assert.equal(await ask({ ...next, stream: true }, 'eve'), 404)
  assert.equal(await ask(text, 'eve', { 'content-type': 'text/plain' }), 404)
  assert.equal(await ask(text.replace('previous', 'pr\\u0065vious'), 'eve'), 404)
  assert.equal(await ask({ ...next, input: 'x'.repeat(3_000_000) }, 'eve'), 404)
  assert.equal(await ask(gzipSync(text), 'eve', { 'content-encoding': 'gzip' }), 404)
  assert.equal(await ask(`${text.slice(0, -1)},"previous_response_id":"resp_2"}`, 'eve'), 400)
  assert.equal(await ask(text, 'eve', { 'content-type': 'application/json; charset=utf-7' }), 415)
  const { previous_response_id, ...rest } = next
  assert.equal(await ask({ ...rest, extra_body: { previous_response_id } }, 'eve'), 404)
  // Some servers read JSON whatever its declared type, and take a list of one for the one.
  for (const type of ['multipart/form-data; boundary=x', 'multipart/mixed']) {
    assert.equal(await ask(text, 'eve', { 'content-type': type }), 400)
  }
  assert.equal(await ask(`[${text}]`, 'eve'), 400)
  assert.equal(await ask({ ...rest, previous_response_id: [previous_response_id] }, 'eve'), 400)
  assert.equal(provider.calls.length, before)
  // Nobody knows whose it is.
  assert.equal(await ask({ ...next, previous_response_id: 'resp_of_last_week' }, 'eve'), 200)
})

test('only the owner of a Google interaction can read, delete and continue it', async (t) => {
  let count = 0
  const provider = await startProvider(t, {
    onCall: (call) =>
      call.json(200, { id: `v1_${++count}`, status: 'completed', outputs: [{ type: 'text', text: 'Hi' }] }),
  })
  const app = await startApp(t, { target: provider.url, resume: { who } })
  const url = `${app.url}/v1beta/interactions`
  const ask = async (body: object, user: string) =>
    (await post(url, { model: 'g', input: 'Hi', ...body }, as(user))).status
  assert.equal(await ask({}, 'ada'), 200)
  await app.record()
  for (const [user, status] of [
    ['ada', 200],
    ['eve', 404],
  ] as const) {
    for (const name of ['previous_interaction_id', 'previousInteractionId']) {
      assert.equal(await ask({ [name]: 'v1_1' }, user), status)
    }
    assert.equal((await fetch(`${url}/v1_1`, as(user))).status, status)
    assert.equal((await fetch(`${url}/v1_1`, { ...as(user), method: 'DELETE' })).status, status)
    assert.equal((await fetch(`${url}/v1_1/cancel`, { ...as(user), method: 'POST' })).status, status)
  }
  assert.equal(await ask({ previous_interaction_id: 'v1_9', previousInteractionId: 'v1_1' }, 'eve'), 400)
})

test('a subject that gets another’s answer may continue it, and the other still owns it', async (t) => {
  const answer = {
    ...{ id: 'resp_1', object: 'response', status: 'completed', model: 'gpt-test' },
    output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] }],
    usage: { input_tokens: 3, output_tokens: 1, total_tokens: 4 },
  }
  const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
  const cache = { ttlMs: 60_000, scope: () => 'team' }
  const app = await startApp(t, { target: provider.url, resume: { who }, cache })
  const ask = async (body: object, user: string) => {
    const response = await post(app.url + RESPONSES, body, as(user))
    await response.text()
    await app.record()
    return [response.status, response.headers.get('x-cache')]
  }
  const asked = { model: 'gpt-test', input: 'Hello', temperature: 0 }
  assert.deepEqual(await ask(asked, 'ada'), [200, 'miss'])
  assert.deepEqual(await ask(asked, 'bob'), [200, 'hit'])
  const next = { model: 'gpt-test', input: 'And now?', previous_response_id: 'resp_1' }
  assert.equal((await fetch(`${app.url + RESPONSES}/resp_1`, as('bob'))).status, 404)
  await app.record()
  assert.equal((await fetch(`${app.url + RESPONSES}/resp_1`, as('ada'))).status, 200)
  await app.record()
  assert.equal((await ask(next, 'ada'))[0], 200)
  assert.equal((await ask(next, 'bob'))[0], 200)
  assert.equal((await ask(next, 'eve'))[0], 404)
})

test('an id that is longer than any is neither looked up nor remembered', async (t) => {
  const names: string[] = []
  const journal = memoryJournal()
  const { get, put } = journal
  journal.get = (name) => {
    names.push(name)
    return get.call(journal, name)
  }
  journal.put = (name, ...rest) => {
    names.push(name)
    return put.call(journal, name, ...rest)
  }
  const long = 'x'.repeat(100_000)
  const answer = { object: 'response', status: 'completed', output: [], usage: { input_tokens: 1, output_tokens: 1 } }
  const provider = await startProvider(t, { onCall: (call) => call.json(200, { ...answer, id: long, model: long }) })
  const app = await startApp(t, { target: provider.url, resume: { who, journal } })
  const ask = (body: object) => post(app.url + RESPONSES, { ...request, ...body }, as('ada'))
  assert.equal((await ask({ previous_response_id: long })).status, 200)
  assert.equal((await ask({ previous_response_id: 'resp_1' })).status, 200)
  const record = await app.record()
  assert.equal(record.responseId, undefined)
  assert.equal(record.responseModel?.length, 2048)
  assert.deepEqual(names, ['r:resp_1'])
})

test('nothing is remembered of answers that the provider does not keep, and any body may ask for them', async (t) => {
  const provider = await startProvider(t, { onCall: (call) => call.json(200, { id: 'chatcmpl-1', text: 'Hi' }) })
  const journal = memoryJournal()
  const put = t.mock.method(journal, 'put')
  const app = await startApp(t, { target: provider.url, resume: { who, journal } })
  const chat = { model: 'gpt-test', messages: [{ role: 'user', content: 'Hi' }] }
  assert.equal((await post(`${app.url}/v1/chat/completions`, chat, as('ada'))).status, 200)
  const form = new FormData()
  form.set('file', new Blob(['RIFF']), 'a.wav')
  const uploaded = await fetch(`${app.url}/v1/audio/transcriptions`, { method: 'POST', body: form, ...as('ada') })
  assert.equal(uploaded.status, 200)
  await app.record()
  await app.record()
  assert.equal(put.mock.callCount(), 0)
})
