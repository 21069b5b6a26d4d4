import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Owner } from '../e2e/support/provider.js'
import { sendStream } from '../e2e/support/streams.js'
import { bothWays, pageOf, type Way } from './both-ways.js'
import { describeEventSource, HEARD, type Heard } from './event-sources.js'
import { Reader, readInStep } from './in-step.js'
import { cannotRun, programNamed } from './needs.js'
import { page } from './page.js'
import { chatTextIn } from './sse-text.js'
import { beginning, chat } from './wires.js'

const program = programNamed('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
const skip = program === undefined ? 'Chromium is not installed' : cannotRun('playwright-core')
const args =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
const { path, request } = chat.stream

let browser: Browser
before(async () => {
  if (skip) return
  const { chromium } = await import('playwright-core')
  browser = await chromium.launch({ executablePath: program, args: args.split(' ') })
})
after(() => browser?.close())

/** The page of a way; its functions are called by text. */
async function opened(t: Owner, way: Way): Promise<Page> {
  const tab = await browser.newPage()
  t.after(() => tab.close())
  await tab.goto(pageOf(way))
  return tab
}

const called = <T>(tab: Page, name: string, ...values: unknown[]): Promise<T> =>
  tab.evaluate<T>(`${name}(${values.map((value) => JSON.stringify(value)).join()})`)
const posted = (tab: Page, { url }: Way) => called(tab, 'post', url + path, request)

/** The events of what the page has asked for, from its request on. */
async function* eventsFor(tab: Page, way: Way): AsyncGenerator<string> {
  await posted(tab, way)
  for (let event = await called<string>(tab, 'nextEvent'); event; event = await called(tab, 'nextEvent')) yield event
}

describeEventSource("the browser's EventSource", {
  skip,
  page,
  async listen(t, way, path) {
    const tab = await opened(t, way)
    await called(tab, 'listen', way.url + path, HEARD)
    return { next: () => called<Heard>(tab, 'nextHeard'), close: () => called(tab, 'source.close') }
  },
})

describe("the browser's fetch", { skip }, () => {
  test('reads each event as it is sent', async (t) => {
    await bothWays(
      t,
      (call) => sendStream(call, chat.stream, []),
      async (way) => readInStep(way.provider, chat.stream, eventsFor(await opened(t, way), way), chatTextIn),
      { page },
    )
  })

  for (const [what, leave] of [
    ['its AbortController', (tab) => tab.evaluate('leaving.abort(); nextEvent().catch(named)')],
    ['cancelling the body', (tab) => tab.evaluate('reader.cancel().then(nextEvent)')],
    ['closing the page', (tab) => tab.close()],
    ['navigating to another page', (tab) => tab.goto('about:blank')],
  ] satisfies [string, (tab: Page) => Promise<unknown>][]) {
    test(`stops the provider by ${what}`, async (t) => {
      const { app } = await bothWays(
        t,
        (call) => sendStream(call, chat.stream, beginning(chat.stream)),
        async (way) => {
          const tab = await opened(t, way)
          const reader = new Reader(eventsFor(tab, way), chatTextIn)
          await reader.nextText()
          const left = await leave(tab)
          await (await way.provider.next()).gone
          return left
        },
        { page },
      )
      assert.equal((await app.record()).outcome, 'client_disconnect')
    })
  }

  test('can be aborted while the provider is silent', async (t) => {
    const { app, result } = await bothWays(
      t,
      () => {},
      async (way) => {
        const tab = await opened(t, way)
        const answer = tab.evaluate(`post(${JSON.stringify(way.url + path)}, {}).catch(named)`)
        const call = await way.provider.next()
        await called(tab, 'leaving.abort')
        await call.gone
        return answer
      },
      { page },
    )
    assert.deepEqual(result, { error: 'AbortError' })
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  test('reads an error and its headers', async (t) => {
    const { result } = await bothWays(
      t,
      (call) => call.json(429, chat.refusal, { 'retry-after': '7' }),
      async (way) => {
        const tab = await opened(t, way)
        return [await posted(tab, way), await called(tab, 'nextEvent')]
      },
      { page },
    )
    assert.deepEqual(result, [{ status: 429, type: 'application/json', retry: '7' }, JSON.stringify(chat.refusal)])
  })
})
