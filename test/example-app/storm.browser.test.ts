import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { startLocalProvider } from '../../example-app/local-provider.js'
import { assertFits, closeBrowser, dark, noBrowser, openPage, phone, picture } from './browser.js'
import { cannotSee, childProcesses } from './child-processes.js'
import { runningApp } from './running-app.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('a burst: the latency of /health, side by side', inBrowser, async (t) => {
  const page = await openStorm(t)
  await blow(page, 'Burst', 40, 4)
  for (const side of sides(page)) {
    assert.match(await side.locator('.headline').innerText(), /^median .* m?s, p99 .* m?s$/)
    assert.ok((await points(side)).length > 20, 'a curve')
  }
  const [carried] = await page.locator('#figures tr').filter({ hasText: 'Carried' }).locator('td').allInnerTexts()
  assert.match(String(carried), /^[\d.]+ MB\/s$/)
  assert.notEqual(carried, '0.0 MB/s')
  await picture(page, 'storm-burst-light')
})

test('clients that leave: the provider stops', inBrowser, async (t) => {
  const page = await openStorm(t, dark)
  await blow(page, 'Clients leave', 20, 3)
  const [ours] = sides(page)
  await ours.filter({ hasText: /the provider had stopped after \d+ ms/ }).waitFor()
  const heights = (await points(ours)).map((point) => point.split(',')[1])
  assert.equal(heights.at(-1), heights[0], 'the curve ends on the ground')
  await picture(page, 'storm-leave-dark')
})

test('readers that stall: memory stays flat', inBrowser, async (t) => {
  const page = await openStorm(t, phone)
  await blow(page, 'Readers stall', 20, 2)
  await sides(page)[0]
    .locator('.headline')
    .filter({ hasText: /^from \d+ MiB to \d+ MiB: flat$/ })
    .waitFor()
  await assertFits(page)
  await picture(page, 'storm-stall-phone')
})

test('a provider that breaks off mid-event: the client is told', inBrowser, async (t) => {
  const page = await openStorm(t)
  await blow(page, 'Provider breaks off', 10, 3)
  const [ours, plain] = sides(page)
  await ours.locator('.headline').filter({ hasText: '10 of 10 clients got an error event' }).waitFor()
  assert.match(await ours.locator('.tail mark.whole').innerText(), /^data: {"error":{.*"code":"upstream_reset"/)
  // http-proxy-middleware 3 may write a sentence of its own behind the half event.
  assert.match(await plain.locator('.tail mark.half').innerText(), /this event was never fin(?:Error occurred.*)?$/)
  await picture(page, 'storm-break-light')
})

test('Stop ends a storm, and its processes', { skip: noBrowser || cannotSee }, async (t) => {
  const page = await openStorm(t, dark)
  const before = childProcesses()
  await page.getByRole('button', { name: 'Burst' }).press('Enter')
  await page.locator('#status').filter({ hasText: 'It storms through express-ai-proxy' }).waitFor()
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
  const done = page.locator('#status').filter({ hasText: /^Done|broke off/ })
  await done.waitFor({ timeout: 120_000 })
  assert.match(await done.innerText(), /^Done/)
}

function sides(page: Page): [Locator, Locator] {
  return [page.locator('[data-contender="ours"]'), page.locator('[data-contender="plain"]')]
}

async function points(side: Locator): Promise<string[]> {
  return ((await side.locator('polyline').getAttribute('points')) ?? '').split(' ')
}
