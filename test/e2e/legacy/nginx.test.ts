import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connect, Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Owner } from '../support/provider.js'
import { hasNginx, startNginx } from './nginx.js'
import { signIn, startLegacyApp } from './running.js'

const path = `/ai/openai${openai.path}`

/** What sites say of HTTP's version to the app: nothing, which makes it HTTP/1.0, or what the README asks for. */
const versions = {
  'HTTP/1.0, its default': '',
  'HTTP/1.1': "proxy_http_version 1.1; proxy_set_header Connection '';",
}

async function start(t: Owner, more: string) {
  const app = await startLegacyApp(t)
  const port = await startNginx(t, app.port, more)
  const url = `http://127.0.0.1:${port}`
  return { app, port, url, cookie: await signIn(url) }
}

const skip = hasNginx ? false : 'nginx is not installed here'

for (const [version, more] of Object.entries(versions)) {
  describe(`behind nginx, over ${version}`, { skip }, () => {
    test('events arrive one by one, although nginx buffers', async (t) => {
      const { app, url, cookie } = await start(t, more)
      const answer = post(url + path, openai.request, { headers: { cookie, 'accept-encoding': 'gzip' } })
      const call = (await app.openai.next()).sse()
      const response = await answer
      const events = new Events(response)
      for (const event of [...openai.events, openai.terminator]) {
        call.send(event)
        assert.equal(await events.next(), event)
      }
      call.end()
      assert.equal(await events.next(), undefined)
      assert.equal((await app.records.next()).outcome, 'completed')
    })

    test('the client gets an error event if the provider breaks off', async (t) => {
      const { app, url, cookie } = await start(t, more)
      const answer = post(url + path, openai.request, { headers: { cookie } })
      const call = (await app.openai.next()).sse([openai.events[0]])
      const events = new Events(await answer)
      assert.equal(await events.next(), openai.events[0])
      call.reset()
      assert.equal(openai.errorInEvent(await events.next()).code, 'upstream_reset')
      assert.equal(await events.next(), undefined)
    })

    test('the provider stops if the client leaves, before and during the stream', async (t) => {
      const { app, port, cookie } = await start(t, more)
      for (const isStreaming of [true, false]) {
        const client = await connect(t, port)
        const headers = { cookie, 'content-type': 'application/json' }
        client.request('POST', path, headers, JSON.stringify(openai.request))
        const call = await app.openai.next()
        if (isStreaming) {
          call.sse([openai.events[0]])
          await client.sees('Hel')
        }
        client.leave()
        await call.gone
        assert.equal((await app.records.next()).outcome, 'client_disconnect')
      }
    })

    test("the provider gets the client's address, which nginx passed to the app", async (t) => {
      const { app, url, cookie } = await start(t, more)
      // Some load balancer, in front of nginx and on this machine as well, is the one that says so.
      const headers = { cookie, 'x-forwarded-for': '203.0.113.7' }
      const answer = post(url + path, { model: 'm' }, { headers })
      const call = await app.openai.next()
      assert.equal(call.headers['x-forwarded-for'], '203.0.113.7')
      assert.equal(call.headers['x-forwarded-proto'], 'http')
      call.json(200, {})
      await answer
      assert.equal(((await (await fetch(`${url}/whoami`, { headers })).json()) as { ip: string }).ip, '203.0.113.7')
    })
  })
}
