/** An answer survives what happens to its page: the network goes, the page is reloaded, another tab opens. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { ProviderId } from '../../example-app/providers/provider.js'
import { assertAccessible, assertFits, closeBrowser, noBrowser, openPage, phone } from './browser.js'
import { runningApp } from './running-app.js'
import { type Asked, scriptedProvider } from './scripted-provider.js'
import { tcpRelay } from './tcp-relay.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }
const lost = /^Failed to load resource: net::ERR_/
const clipboard: BrowserContextOptions = { permissions: ['clipboard-read', 'clipboard-write'] }

/** Pieces of a text in which nothing can be missing, or be there twice, without being noticed. */
function pieces(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => `${from + at} – Grüße 🙂${(from + at) % 10 ? ' ' : '\n\n'}`)
}

function whole(to: number): string {
  return pieces(0, to).join('')
}

function write(asked: Asked, from: number, to: number): void {
  for (const piece of pieces(from, to)) asked.write(piece)
}

for (const [name, options] of Object.entries({ desktop: {}, phone })) {
  test(`an answer is whole although the browser was offline in the middle of it: ${name}`, inBrowser, async (t) => {
    const script = await scriptedProvider(t)
    const relay = await tcpRelay(t, await runningApp(t, script.provider))
    const page = await openPage(t, relay.url, { ...clipboard, ...options, provoked: lost })
    const network = await networkOf(page)
    await ask(page)
    const asked = await script.next()
    write(asked, 0, 40)
    await hasCome(page, 39)

    // Emulation fails new requests and tells the page, but leaves a response alone that is under way: the relay cuts that.
    await network.setOffline(true)
    relay.cut()
    relay.restore()
    await page.locator('.problem[data-tone="warn"]', { hasText: 'You are offline' }).waitFor()
    await page.locator('#status', { hasText: 'You are offline' }).waitFor({ state: 'attached' })
    write(asked, 40, 60)
    await assertAccessible(page, `chat-${name}-offline`)
    await assertFits(page)
    await network.setOffline(false)
    await continuedOnce(page).waitFor()
    await hasCome(page, 59)
    assert.equal(await page.locator('.problem').isVisible(), false)

    write(asked, 60, 80)
    asked.end()
    await page.locator('.details').waitFor()
    assert.equal(await textOf(page), whole(80))
    assert.equal(script.count, 1)
    assert.match(await page.locator('#status').innerText(), /^Answer complete\. Connection lost: the answer continued/)
    await assertAccessible(page, `chat-${name}-continued`)
    await assertFits(page)
  })
}

for (const id of ['openai', 'anthropic', 'gemini'] satisfies ProviderId[]) {
  test(`an answer is whole although its connection was cut, again and again: ${id}`, inBrowser, async (t) => {
    const script = await scriptedProvider(t, id)
    const relay = await tcpRelay(t, await runningApp(t, script.provider))
    const page = await openPage(t, relay.url, { ...clipboard, provoked: lost })
    await ask(page)
    const asked = await script.next()
    write(asked, 0, 20)
    await hasCome(page, 19)
    for (const [time, from] of [20, 40, 60].entries()) {
      relay.cut()
      await page.locator('.problem', { hasText: 'Connection lost, trying again…' }).waitFor()
      write(asked, from, from + 10)
      relay.restore()
      const note = time === 0 ? continuedOnce(page) : page.locator('.passage', { hasText: `lost ${time + 1} times` })
      await note.waitFor()
      write(asked, from + 10, from + 20)
      await hasCome(page, from + 19)
    }
    asked.end()
    await page.locator('.details').waitFor()
    assert.equal(await textOf(page), whole(80))
    assert.equal(script.count, 1)
  })
}

test('an answer that ends while nobody is connected is whole as well', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const relay = await tcpRelay(t, await runningApp(t, script.provider))
  const page = await openPage(t, relay.url, { ...clipboard, provoked: lost })
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 20)
  await hasCome(page, 19)
  relay.cut()
  await page.locator('.problem', { hasText: 'Connection lost' }).waitFor()
  write(asked, 20, 40)
  asked.end()
  await asked.gone
  relay.restore()
  await page.locator('.details').waitFor()
  assert.equal(await textOf(page), whole(40))
})

test('an answer is whole although the page was reloaded in the middle of it, twice', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, script.provider), { ...clipboard })
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 20)
  await hasCome(page, 19)
  for (const [time, from] of [20, 40].entries()) {
    const reloaded = page.reload()
    write(asked, from, from + 10)
    await reloaded
    await hasCome(page, from + 9)
    const note = `Continued after ${time === 0 ? 'a reload' : '2 reloads'}.`
    assert.equal(await page.locator('.passage').innerText(), note)
    assert.ok(await page.getByRole('button', { name: 'Stop' }).isVisible())
    write(asked, from + 10, from + 20)
    await hasCome(page, from + 19)
  }
  await assertAccessible(page, 'chat-desktop-reloaded')
  asked.end()
  await page.locator('.details').waitFor()
  assert.equal(await textOf(page), whole(60))
  assert.equal(script.count, 1)
  assert.match(await page.locator('[data-field="usage"]').innerText(), /^1,000 in · 500 out tokens/)

  // What is complete is there after a reload, and nothing is asked for.
  await page.reload()
  await page.locator('.details').waitFor()
  assert.equal(await textOf(page), whole(60))
  assert.equal(script.count, 1)
})

test('an answer that ends while its page is away is there when the page comes back', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const url = await runningApp(t, script.provider)
  const page = await openPage(t, url, { ...clipboard })
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 20)
  await hasCome(page, 19)
  await page.goto(`${url}/health`)
  write(asked, 20, 40)
  asked.end()
  await asked.gone
  await page.goto(`${url}/chat/`)
  await page.locator('.details').waitFor()
  assert.equal(await textOf(page), whole(40))
  assert.equal(await page.locator('.passage').innerText(), 'Continued where it was when this page was opened.')
})

test(
  'a second tab shows the answer that is under way in the first, and Stop stops it for both',
  inBrowser,
  async (t) => {
    const script = await scriptedProvider(t)
    const page = await openPage(t, await runningApp(t, script.provider), { ...clipboard })
    await ask(page, 'One?')
    const asked = await script.next()
    write(asked, 0, 20)
    await hasCome(page, 19)
    const second = await openSecond(page)
    await hasCome(second, 19)
    for (const from of [20, 30]) {
      write(asked, from, from + 10)
      await Promise.all([hasCome(page, from + 9), hasCome(second, from + 9)])
    }
    asked.end()
    for (const tab of [page, second]) {
      await tab.locator('.details').waitFor()
      await tab.bringToFront()
      assert.equal(await textOf(tab), whole(40))
    }
    assert.equal(script.count, 1)

    await ask(second, 'Two?')
    const again = await script.next()
    write(again, 0, 20)
    await hasCome(second, 19)
    const third = await openSecond(second)
    await hasCome(third, 19)
    await second.getByRole('button', { name: 'Stop' }).click()
    await again.gone
    await second.locator('.problem', { hasText: 'Stopped.' }).waitFor()
    await third.locator('.problem[data-tone="warn"]', { hasText: 'Stopped, from another tab.' }).waitFor()
    await third.locator('.details').nth(1).waitFor()
  },
)

test('Stop stops the provider once the app can be reached again', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const relay = await tcpRelay(t, await runningApp(t, script.provider))
  const page = await openPage(t, relay.url, { provoked: lost })
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 20)
  await hasCome(page, 19)
  relay.cut()
  await page.locator('.problem', { hasText: 'Connection lost, trying again…' }).waitFor()
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.locator('.problem[data-tone="warn"]', { hasText: 'Stopped.' }).waitFor()
  assert.ok(asked.isOpen)
  const stopped = page.waitForResponse((response) => response.request().method() === 'DELETE')
  relay.restore()
  assert.equal((await stopped).status(), 204)
  await asked.gone
})

test('Stop stops the provider of an answer that goes on after a reload', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, script.provider))
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 20)
  await hasCome(page, 19)
  await page.reload()
  await page.locator('.passage', { hasText: 'Continued after a reload.' }).waitFor()
  assert.ok(asked.isOpen)
  await page.getByRole('button', { name: 'Stop' }).click()
  await asked.gone
  await page.locator('.problem[data-tone="warn"]', { hasText: 'Stopped.' }).waitFor()
  await page.locator('.details').waitFor()
  assert.match(await page.locator('[data-field="usage"]').innerText(), /^≈ \d+ out tokens/)
  assert.equal(await page.locator('[data-field="outcome"]').count(), 0, 'it is what was asked for')
})

test(
  'to close the tab does not stop the provider, and the Streams page shows that it goes on',
  inBrowser,
  async (t) => {
    const script = await scriptedProvider(t)
    const url = await runningApp(t, script.provider, { dashboard: true })
    const streams = await openPage(t, `${url}/streams/`)
    const chat = await streams.context().newPage()
    await chat.goto(`${url}/chat/`)
    await ask(chat)
    const asked = await script.next()
    write(asked, 0, 20)
    await hasCome(chat, 19)
    await chat.close()

    const row = streams.locator('#exchanges tbody tr')
    await row.locator('.badge', { hasText: /^without a client$/ }).waitFor()
    await streams.locator('[data-gauge="withoutClient"]', { hasText: /^1$/ }).waitFor()
    await streams.locator('#status').selectOption('Without a client')
    assert.equal(await row.count(), 1)
    await assertAccessible(streams, 'streams-desktop-without-client')
    assert.ok(asked.isOpen)
    write(asked, 20, 40)
    asked.end()
    await asked.gone
    await streams.locator('#status').selectOption('All outcomes')
    await row.locator('.badge', { hasText: /^client disconnect$/ }).waitFor()
    await streams.locator('[data-gauge="withoutClient"]', { hasText: /^0$/ }).waitFor()
  },
)

test('the same prompt with temperature 0 is answered from the cache, which the pages say', inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const url = await runningApp(t, script.provider, { dashboard: true })
  const page = await openPage(t, url, { ...clipboard })
  await page.locator('#open-settings').click()
  await page.getByLabel('Temperature').fill('0')
  await page.getByRole('button', { name: 'Done' }).click()
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 40)
  asked.end()
  await page.locator('.details').waitFor()
  assert.equal(await page.locator('.passage').isVisible(), false)

  await page.getByRole('button', { name: 'New conversation' }).click()
  await ask(page)
  await page.locator('.details').waitFor()
  assert.equal(await textOf(page), whole(40))
  assert.equal(script.count, 1)
  assert.match(
    await page.locator('.passage').innerText(),
    /^From the cache, kept .+ ago: the provider was not asked\.$/,
  )
  await assertAccessible(page, 'chat-desktop-cached')
  await page.reload()
  await page.locator('.passage', { hasText: 'From the cache' }).waitFor()

  await page.goto(`${url}/streams/`)
  const cached = page.locator('#exchanges tbody tr').filter({ hasText: 'from the cache' })
  await cached.waitFor()
  await page.locator('[data-gauge="cacheHits"]', { hasText: /^1$/ }).waitFor()
  await page.locator('#status').selectOption('From the cache')
  assert.equal(await page.locator('#exchanges tbody tr').count(), 1)
  await assertAccessible(page, 'streams-desktop-cached')
  await cached.locator('.open-record').click()
  assert.equal(await page.locator('dialog[open] [data-field="cache"] dd').innerText(), 'hit')
  await page.goto(`${url}/usage/`)
  await page.locator('#usage td[data-column="cached"]', { hasText: /^1$/ }).waitFor()
  assert.equal(await page.locator('#usage td[data-column="answers"]').innerText(), '1')
  assert.equal(await page.locator('#usage td[data-column="tokens"]').innerText(), '1,000 in · 500 out')
})

test("the browser's EventSource reconnects by itself, and ends with the answer", inBrowser, async (t) => {
  const script = await scriptedProvider(t)
  const relay = await tcpRelay(t, await runningApp(t, script.provider))
  const page = await openPage(t, relay.url, { provoked: lost })
  const answered = page.waitForResponse(/\/chat\/completions$/)
  await ask(page)
  const asked = await script.next()
  write(asked, 0, 10)
  const streamUrl = String((await (await answered).allHeaders())['x-stream-url'])
  const source = await eventSource(page, streamUrl)
  await source.hasGot(10)
  for (const from of [10, 20]) {
    const continued = page.waitForRequest((request) => request.url().endsWith(streamUrl) && request.method() === 'GET')
    relay.cut()
    write(asked, from, from + 10)
    relay.restore()
    await continued
    await source.hasGot(from + 10)
  }
  const ended = page.waitForResponse((response) => response.url().endsWith(streamUrl) && response.status() === 204)
  asked.end()
  await ended
  const { got, ids } = await source.closed()
  const texts = got.slice(0, 30).map((data) => JSON.parse(data).choices[0].delta.content)
  assert.deepEqual(texts, pieces(0, 30))
  assert.equal(got.at(-1), '[DONE]')
  const [epoch] = ids[0]!.split('.')
  assert.deepEqual(
    ids,
    got.map((_, at) => `${epoch}.${at + 1}`),
  )
})

/** An EventSource in a page, and what it gets. */
async function eventSource(page: Page, url: string) {
  await page.evaluate(`
    source = new EventSource(${JSON.stringify(url)})
    heard = { got: [], ids: [] }
    changed = () => {}
    source.onmessage = ({ data, lastEventId }) => {
      heard.got.push(data)
      heard.ids.push(lastEventId)
      changed()
    }
    source.onerror = () => changed()
  `)
  const until = (condition: string) =>
    page.evaluate(`new Promise((resolve) => {
      changed = () => (${condition}) && resolve()
      changed()
    })`)
  return {
    hasGot: (count: number) => until(`heard.got.length === ${count}`),
    async closed() {
      await until('source.readyState === EventSource.CLOSED')
      return page.evaluate('heard') as Promise<{ got: string[]; ids: string[] }>
    },
  }
}

/** Emulates a page's network. */
async function networkOf(page: Page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  return {
    setOffline: (offline: boolean) =>
      session.send('Network.emulateNetworkConditions', {
        ...{ offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 },
      }),
  }
}

function continuedOnce(page: Page): Locator {
  return page.locator('.passage', { hasText: /^Connection lost: the answer continued after [\d.]+ m?s\.$/ })
}

async function openSecond(page: Page): Promise<Page> {
  const opened = page.context().waitForEvent('page')
  await page.getByRole('button', { name: 'Open in a second tab' }).click()
  return opened
}

async function ask(page: Page, text = 'Hi'): Promise<void> {
  await page.getByLabel('Your prompt').fill(text)
  await page.getByLabel('Your prompt').press('Enter')
}

/** Waits until a piece is on the page. */
async function hasCome(page: Page, number: number): Promise<void> {
  await page
    .locator('.turn')
    .last()
    .locator('.answer', { hasText: new RegExp(`(^|\\D)${number} –`) })
    .waitFor()
}

/** The text of the answer, exactly as the page got it. */
async function textOf(page: Page): Promise<string> {
  await page.locator('.foot').getByRole('button', { name: /^Cop/ }).click()
  await page.locator('.foot').getByRole('button', { name: 'Copied' }).waitFor()
  return page.evaluate('navigator.clipboard.readText()') as Promise<string>
}
