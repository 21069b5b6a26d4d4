import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { cannotRun, programNamed } from '../clients/needs.js'
import { startApp } from '../e2e/support/app.js'
import { startProvider } from '../e2e/support/provider.js'
import { sendStream, streams } from '../e2e/support/streams.js'
import { startRelay } from './cutting-relay.js'

const program = programNamed('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
const skip = program === undefined ? 'Chromium is not installed' : cannotRun('playwright-core')
const args =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
const client = join(__dirname, '../../dist/client.mjs')

/** Loads the module as it is packed. What a test reads and calls is global. */
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A client that resumes</title>
<link rel="icon" href="data:,">
<script type="module">
  import { resumable } from '/resume.mjs'

  const told = []
  const user = new AbortController()
  const ai = resumable(fetch, {
    backoff: { baseMs: 1, maxMs: 20 },
    retries: 1000,
    onInterrupted: ({ offline }) => told.push(offline ? 'offline' : 'interrupted'),
    onResumed: () => told.push('resumed'),
  })
  const state = { text: '', told, isOver: false, failure: undefined, stop: () => user.abort() }
  state.ask = async (url, body) => {
    try {
      const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-client' }
      const response = await ai(url, { method: 'POST', headers, body: JSON.stringify(body), signal: user.signal })
      state.stream = response.headers.get('x-stream-url')
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let next = await reader.read(); !next.done; next = await reader.read()) state.text += next.value
    } catch (error) {
      state.failure = error.name + ": " + error.message
    }
    state.isOver = true
  }
  window.chat = state
</script>
</html>`

let browser: Browser
before(async () => {
  if (skip) return
  assert.ok(existsSync(client), 'npm run build comes first')
  const { chromium } = await import('playwright-core')
  browser = await chromium.launch({ executablePath: program, args: args.split(' ') })
})
after(() => browser?.close())

const { frames, path, request } = streams.chat
const whole = Buffer.concat([...frames]).toString()
const withoutIds = (text: string) => text.replace(/^id: [\w-]+\.\d+\n/gm, '')

/** A page that has asked for a stream, and has its first events. */
async function asked(t: TestContext) {
  const provider = await startProvider(t)
  const app = await startApp(
    t,
    { target: provider.url, resume: { who: (req) => req.get('authorization') } },
    {
      before: (made) => {
        made.get('/page', (_req, res) => void res.type('html').send(page))
        made.get('/resume.mjs', (_req, res) => void res.sendFile(client))
      },
    },
  )
  const relay = await startRelay(t, app.port)
  const context = await browser.newContext()
  t.after(() => context.close())
  const tab = await context.newPage()
  await tab.goto(`http://127.0.0.1:${relay.port}/page`)
  await tab.waitForFunction('window.chat')
  await tab.evaluate(`void chat.ask(${JSON.stringify(`/ai${path}`)}, ${JSON.stringify(request)})`)
  const call = sendStream(await provider.next(), streams.chat, frames.slice(0, 3))
  await tab.waitForFunction("chat.text.includes('data: ')")
  return { app, relay, context, tab, call }
}

/** The text that the page has at the end. */
async function textOf(tab: Page): Promise<string> {
  await tab.waitForFunction('chat.isOver')
  assert.equal(await tab.evaluate('chat.failure'), undefined)
  return withoutIds(await tab.evaluate<string>('chat.text'))
}

describe('in Chromium', { skip }, () => {
  test('a stream whose connection breaks goes on', async (t) => {
    const { relay, tab, call } = await asked(t)
    for (const frame of frames.slice(3)) {
      relay.breakAll()
      call.send(frame)
    }
    call.end()
    assert.equal(await textOf(tab), whole)
    assert.ok((await tab.evaluate<string[]>('chat.told')).includes('resumed'))
  })

  test('a stream goes on after the browser was offline, which it waits out', async (t) => {
    const { context, relay, tab, call } = await asked(t)
    await context.setOffline(true)
    relay.breakAll()
    await tab.waitForFunction("chat.told.includes('offline')")
    for (const frame of frames.slice(3)) call.send(frame)
    call.end()
    await context.setOffline(false)
    assert.equal(await textOf(tab), whole)
    const told = await tab.evaluate<string[]>('chat.told')
    assert.equal(told.at(-1), 'resumed')
  })

  test('Stop stops the provider', async (t) => {
    const { tab, call } = await asked(t)
    await tab.evaluate('chat.stop()')
    await call.gone
    await tab.waitForFunction('chat.isOver')
    assert.match(await tab.evaluate<string>('chat.failure'), /^AbortError/)
  })

  test('Stop does so even while the page is closed', async (t) => {
    const { tab, call } = await asked(t)
    await tab.evaluate("void addEventListener('pagehide', () => chat.stop())")
    await tab.goto('about:blank')
    await call.gone
  })

  test('a page that goes lets the provider go on', async (t) => {
    const { app, tab, call } = await asked(t)
    const stream = await tab.evaluate<string>('chat.stream')
    await tab.goto('about:blank')
    for (const frame of frames.slice(3)) call.send(frame)
    call.end()
    await app.record()
    // What came after the page had gone is there.
    const kept = await fetch(`${new URL(stream, app.url)}?after=0`, { headers: { authorization: 'Bearer sk-client' } })
    assert.equal(withoutIds(await kept.text()), whole)
  })
})
