import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { format, stripVTControlCharacters } from 'node:util'
import createDebug from 'debug'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

/** Collects the lines of `DEBUG=ai-proxy:*`, without colours and without the time since the line before. */
function logged(t: TestContext): string[] {
  const lines: string[] = []
  t.mock.method(createDebug, 'log', (...args: unknown[]) => {
    lines.push(stripVTControlCharacters(format(...args)).replace(/ \+\d+\w+$/, ''))
  })
  createDebug.enable('ai-proxy:*')
  t.after(() => createDebug.disable())
  return lines
}

describe('DEBUG=ai-proxy:*', () => {
  test('every line is complete, and times are whole milliseconds', async (t) => {
    const lines = logged(t)
    const provider = await startProvider(t, { onCall: (call) => call.sse(['data: 1\n\n', 'data: [DONE]\n\n']).end() })
    const app = await startApp(t, { target: provider.url })
    await new Events(await post(app.url + openai.path, openai.request)).rest()
    const { id } = await app.record()
    const ended = lines.find((line) => line.includes(`${id} completed`))
    assert.match(ended ?? lines.join('\n'), / completed after \d+ ms: status 200, 2 events, \d+ bytes$/)
    const answered = lines.find((line) => line.includes('status 200 after'))
    assert.match(answered ?? lines.join('\n'), / status 200 after \d+ ms$/)
    for (const line of lines) assert.doesNotMatch(line.trim(), /\S {2}|: *$|undefined|NaN|\d\.\d{3,} ms/)
  })

  test('the line of a failure has its code, and says if no status was sent', async (t) => {
    const lines = logged(t)
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const leaving = new AbortController()
    const left = post(app.url + openai.path, openai.request, { signal: leaving.signal }).catch(() => {})
    await provider.next()
    leaving.abort()
    await left
    await app.record()
    const wrong = await post(`${app.url}/v1/files`, {})
    assert.equal(wrong.status, 404)
    await app.record()
    assert.ok(
      lines.some((line) => / client_disconnect after \d+ ms: status none, 0 events/.test(line)),
      lines.join('\n'),
    )
    assert.ok(
      lines.some((line) => / rejected endpoint_not_allowed after \d+ ms: status 404,/.test(line)),
      lines.join('\n'),
    )
  })

  test('headers that are not forwarded are listed, if there are any', async (t) => {
    const lines = logged(t)
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})) })
    const app = await startApp(t, { target: provider.url, forwardHeaders: (name) => name !== 'x-mine' })
    const listed = () => lines.filter((line) => line.includes('not forwarded'))
    await post(app.url + openai.path, { model: 'm' })
    assert.deepEqual(listed(), [])
    await post(app.url + openai.path, { model: 'm' }, { headers: { 'x-mine': '1' } })
    assert.equal(listed().length, 1)
    assert.match(listed()[0]!, / not forwarded: x-mine$/)
  })
})
