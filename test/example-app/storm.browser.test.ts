import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import { assertAccessible, assertFits, closeBrowser, dark, noBrowser, openPage, phone } from './browser.js'
import { cannotSee, childProcesses } from './child-processes.js'
import { runningApp } from './running-app.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('Burst shows the latency of /health side by side', inBrowser, async (t) => {
  const page = await openStorm(t)
  await blow(page, 'Burst', 40, 4)
  for (const side of sides(page)) {
    assert.match(await side.locator('.headline').innerText(), /^median .* m?s, p99 .* m?s$/)
    assert.match(await summary(side), /Latency: now \d+ ms, at most \d+ ms\.$/)
  }
  const [carried] = await page.locator('#figures tr').filter({ hasText: 'Passed on' }).locator('td').allInnerTexts()
  assert.match(String(carried), /^[\d.]+ MB\/s$/)
  assert.notEqual(carried, '0.0 MB/s')
  await assertAccessible(page, 'storm-desktop-burst')
})

test('Clients leave shows that the provider stops', inBrowser, async (t) => {
  const page = await openStorm(t, dark)
  await blow(page, 'Clients leave', 20, 3)
  const [ours] = sides(page)
  await ours.filter({ hasText: /the provider had stopped after \d+ ms/ }).waitFor()
  assert.match(await summary(ours), /Streams: now 0, at most 20\.$/)
  assert.equal(await ours.getAttribute('data-tone'), 'good')
  const colours = await ours.locator('.headline').evaluate((headline) => {
    const { getComputedStyle, document } = headline.ownerDocument.defaultView!
    const probe = document.createElement('span')
    probe.style.color = 'var(--good)'
    headline.append(probe)
    const both = [getComputedStyle(headline).color, getComputedStyle(probe).color]
    probe.remove()
    return both
  })
  assert.equal(colours[0], colours[1], 'good news is green')
  await assertAccessible(page, 'storm-desktop-leave')
})

test('Clients stall shows that memory stays flat', inBrowser, async (t) => {
  const page = await openStorm(t, phone)
  await blow(page, 'Clients stall', 20, 2)
  await sides(page)[0]
    .locator('.headline')
    .filter({ hasText: /^from \d+ MiB to \d+ MiB: flat$/ })
    .waitFor()
  await assertFits(page)
  await assertAccessible(page, 'storm-phone-stall')
})

test('Break shows that clients get an error if a provider breaks off mid-event', inBrowser, async (t) => {
  const page = await openStorm(t)
  await blow(page, 'Provider breaks off', 10, 3)
  const [ours, plain] = sides(page)
  await ours.locator('.headline').filter({ hasText: '10 of 10 clients got an error event' }).waitFor()
  assert.match(await ours.locator('.tail mark.whole').innerText(), /^data: {"error":{.*"code":"upstream_reset"/)
  // http-proxy-middleware 3 may write a sentence of its own after the half event.
  assert.match(await plain.locator('.tail mark.half').innerText(), /this event was never fin(?:Error occurred.*)?$/)
  await assertAccessible(page, 'storm-desktop-break')
})

test('A provider goes down shows errors and who serves, and sums it up', inBrowser, async (t) => {
  const page = await openStorm(t, dark)
  await blow(page, 'A provider goes down', 20, 4)
  const [ours, plain] = sides(page)
  assert.match(await ours.locator('.headline').innerText(), /^no errors seen by clients(?:, \d+ cut mid-answer)?$/)
  assert.equal(await ours.getAttribute('data-tone'), 'good')
  assert.match(await plain.locator('.headline').innerText(), /^[1-9]\d* errors? seen by clients/)
  assert.equal(await plain.getAttribute('data-tone'), 'bad')
  const [requests, serving] = await figures(ours)
  assert.match(String(requests), /Answered: now [1-9]\d*\/s, at most \d+\/s\. Errors: now 0\/s, at most 0\/s\.$/)
  assert.match(String(serving), /First: now 0\/s, at most [1-9]\d*\/s\. Second: now [1-9]\d*\/s/)
  assert.equal(await page.locator('#figures').getByText('Passed on').count(), 0, 'bytes that nobody counts')
  const sum = await page.locator('#summary').innerText()
  assert.match(sum, /^express-ai-proxy answered \d+ requests, and its clients saw no errors/)
  assert.match(sum, /; http-proxy-middleware answered \d+ requests, and its clients saw [1-9]\d* errors?/)
  await assertAccessible(page, 'storm-desktop-outage')
  await page.setViewportSize(phone.viewport!)
  await assertFits(page)
  await assertAccessible(page, 'storm-phone-outage')

  await blow(page, 'Clients leave', 1, 1)
  assert.equal(await page.locator('#summary').isVisible(), false, 'the sentence of another storm is gone')
})

test('versions are shown, and the second before the storm has a label', inBrowser, async (t) => {
  const page = await openStorm(t)
  await assertAccessible(page, 'storm-desktop-empty')
  const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../package.json'), 'utf8'))

  await noteWriting(page)
  await blow(page, 'Clients leave', 1, 1)
  assert.ok(await page.getByRole('heading', { name: `express-ai-proxy ${version}` }).isVisible())
  const plain = await page.locator('[data-version="plain"]').innerText()
  assert.match(plain, /^\d+\.\d+\.\d+/)
  assert.ok(await page.getByRole('heading', { name: `http-proxy-middleware ${plain}` }).isVisible())
  const written = new Set(await writtenOn(page))
  for (const text of ['before', 'storm', '0 s', 'clients leave']) assert.ok(written.has(text), text)
  assert.deepEqual(
    [...written].filter((text) => text.startsWith('-')),
    [],
  )
})

for (const kind of ['Burst', 'Clients leave', 'Clients stall', 'A provider goes down']) {
  test(`the labels of an axis are as far from each other as their numbers: ${kind}`, inBrowser, async (t) => {
    const page = await openStorm(t)
    await noteWriting(page)
    await page.getByRole('button', { name: kind }).click()
    await page.locator('.u-legend').last().waitFor()
    const numbers = (await writtenOn(page)).filter((text) => !text.endsWith(' s')).map(Number.parseFloat)
    const axes: number[][] = []
    for (const number of numbers.filter(Number.isFinite)) {
      if (number === 0) axes.push([])
      axes.at(-1)!.push(number)
    }
    assert.ok(axes.length > 0)
    for (const axis of axes) {
      assert.deepEqual(
        axis,
        axis.map((_, index) => index * axis[1]!),
      )
    }
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await page.locator('#status', { hasText: 'Stopped.' }).waitFor()
  })
}

test('Stop ends a storm and its processes', { skip: noBrowser || cannotSee }, async (t) => {
  const page = await openStorm(t, dark)
  const before = childProcesses()
  await page.getByRole('button', { name: 'Burst' }).press('Enter')
  await page.locator('#status').filter({ hasText: 'The storm is on, through express-ai-proxy' }).waitFor()
  assert.ok(childProcesses().length >= before.length + 3)

  await page.locator('#stop:focus').press('Enter')
  await page.locator('#status').filter({ hasText: 'Stopped.' }).waitFor()
  while (childProcesses().length > before.length) await page.locator('h1').innerText()
  await page.getByRole('button', { name: 'Burst' }).and(page.locator(':focus')).waitFor()
})

async function openStorm(t: TestContext, options?: BrowserContextOptions): Promise<Page> {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  return openPage(t, `${url}/storm/`, options)
}

async function blow(page: Page, name: string, streams: number, seconds: number): Promise<void> {
  await page.getByLabel('Streams').fill(String(streams))
  await page.getByLabel('Seconds').fill(String(seconds))
  await page.getByRole('button', { name }).click()
  const done = page.locator('#status').filter({ hasText: /^Done|failed/ })
  await done.waitFor({ timeout: 120_000 })
  assert.match(await done.innerText(), /^Done/)
}

function sides(page: Page): [Locator, Locator] {
  return [page.locator('[data-contender="ours"]'), page.locator('[data-contender="plain"]')]
}

async function figures(side: Locator): Promise<(string | null)[]> {
  const all = await side.getByRole('figure').all()
  return Promise.all(all.map((figure) => figure.getAttribute('aria-label')))
}

async function summary(side: Locator): Promise<string> {
  return (await side.getByRole('figure').getAttribute('aria-label')) ?? ''
}

/** A canvas holds no text, so note what is written on it. */
async function noteWriting(page: Page): Promise<void> {
  await page.addInitScript(`{
    const { fillText } = CanvasRenderingContext2D.prototype
    globalThis.written = []
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
      written.push(text)
      return fillText.call(this, text, ...rest)
    }
  }`)
  await page.reload()
}

async function writtenOn(page: Page): Promise<string[]> {
  return page.evaluate('written') as Promise<string[]>
}
