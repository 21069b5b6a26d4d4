import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import type { Owner } from '../e2e/support/provider.js'
import { sendStream } from '../e2e/support/streams.js'
import { closed } from '../e2e/support/waiting.js'
import { bothWays } from './both-ways.js'
import { Reader, readInStep } from './in-step.js'
import { programNamed } from './needs.js'
import { chatTextIn, eventsIn } from './sse-text.js'
import { beginning, chat } from './wires.js'

const program = programNamed('curl')
const { path, request } = chat.stream
const headers = ['-H', 'content-type: application/json', '-H', 'authorization: Bearer sk-client']
const posted = ['--data-binary', JSON.stringify(request)]

function curl(t: Owner, url: string, ...args: readonly string[]) {
  const child = spawn(program!, ['-N', '-sS', '--noproxy', '*', ...headers, ...args, url + path])
  t.after(() => child.kill('SIGKILL'))
  const exit = closed(child, 'curl').then(() => child.exitCode ?? child.signalCode)
  const whole = async () => ({ printed: Buffer.concat(await child.stdout.toArray()).toString(), exit: await exit })
  return { child, exit, whole }
}

describe('curl -N', { skip: program === undefined && 'curl is not installed' }, () => {
  test('prints each event as it is sent', async (t) => {
    await bothWays(
      t,
      (call) => sendStream(call, chat.stream, []),
      async ({ url, provider }) => {
        const { child, exit } = curl(t, url, ...posted)
        const events = await readInStep(provider, chat.stream, eventsIn(child.stdout), chatTextIn)
        assert.equal(events.join(''), Buffer.concat(chat.stream.frames).toString())
        return { events, exit: await exit }
      },
    )
  })

  test('stops the provider on Ctrl-C', async (t) => {
    const { app } = await bothWays(
      t,
      (call) => sendStream(call, chat.stream, beginning(chat.stream)),
      async ({ url, provider }) => {
        const { child, exit } = curl(t, url, ...posted)
        const reader = new Reader(eventsIn(child.stdout), chatTextIn)
        await reader.nextText()
        child.kill('SIGINT')
        await (await provider.next()).gone
        return { read: reader.items, exit: await exit }
      },
    )
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  const written = ['-w', '\n%{http_code} %{content_type}']
  for (const [what, args, exit] of [
    ['', [], 0],
    [', --fail-with-body', ['--fail-with-body'], 22],
    [', --fail', ['--fail'], 22],
  ] as const) {
    test(`prints an error${what}`, async (t) => {
      const { result } = await bothWays(
        t,
        (call) => call.json(429, chat.refusal, { 'retry-after': '7' }),
        ({ url }) => curl(t, url, ...posted, ...args, ...written).whole(),
      )
      assert.equal(result.exit, exit)
      assert.match(result.printed, /429 application\/json$/)
    })
  }

  for (const [what, args] of [
    ['from a pipe, with `Expect: 100-continue`', ['--data-binary', '@-', '-H', 'expect: 100-continue']],
    ['in chunks', ['--data-binary', '@-', '-H', 'transfer-encoding: chunked']],
    ['as an upload', ['-T', '-', '-X', 'POST']],
  ] as const) {
    test(`sends a long request, ${what}`, async (t) => {
      const messages = [{ role: 'user', content: 'x'.repeat(2 ** 21) }]
      const { result } = await bothWays(
        t,
        async (call) => call.json(200, { received: (await call.body).length }),
        async ({ url }) => {
          const { child, whole } = curl(t, url, ...args, ...written)
          child.stdin.end(JSON.stringify({ model: 'm', messages }))
          return whole()
        },
      )
      assert.equal(result.exit, 0)
    })
  }

  test('exits with 18 if an answer breaks off', async (t) => {
    const { result } = await bothWays(
      t,
      ({ res, socket }) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
        res.write('{"half":', () => socket.end())
      },
      ({ url }) => curl(t, url, ...posted).whole(),
    )
    assert.deepEqual(result, { printed: '{"half":', exit: 18 })
  })
})
