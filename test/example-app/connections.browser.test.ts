/** A browser has six connections per host for all of its tabs. The pages' controls never wait for one. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { closeBrowser, noBrowser, openPage } from './browser.js'
import { endlessProviders } from './endless-provider.js'
import { runningApp } from './running-app.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('while five tabs get answers, a sixth says that it waits, and an abort does not wait', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const streams = await openPage(t, `${url}/streams/`)
  await isLive(streams)
  for (let tab = 1; tab <= 5; tab++) {
    const chat = await newTab(streams, `${url}/chat/`)
    await ask(chat, `Question ${tab}`)
    await chat.locator('.answer', { hasText: /(word ){3}/ }).waitFor()
  }

  const sixth = await newTab(streams, `${url}/chat/`)
  await ask(sixth, 'Question 6')
  const waiting = sixth.locator('.problem', { hasText: 'Waiting until a stream in another tab ends' })
  await waiting.waitFor()
  await sixth.getByRole('button', { name: 'Stop' }).click()
  await sixth.locator('.problem', { hasText: 'Stopped.' }).waitFor()
  await sixth.getByRole('button', { name: 'Retry' }).click()
  await waiting.waitFor()

  // No answer ends by itself, so an abort that waited for one would wait for ever.
  await streams.getByRole('button', { name: 'Abort' }).first().click()
  await streams.locator('#exchanges .badge', { hasText: 'aborted' }).waitFor()
  await sixth.locator('.answer', { hasText: /(word ){3}/ }).waitFor()
  assert.equal(await sixth.locator('.problem').isVisible(), false)
})

test('seven Streams tabs are live at once, and one that nobody sees asks for nothing', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const first = await openPage(t, `${url}/streams/`)
  const tabs = [first]
  while (tabs.length < 7) tabs.push(await newTab(first, `${url}/streams/`))
  for (const tab of tabs) await isLive(tab)
  const last = tabs.at(-1)!
  await first.getByRole('button', { name: 'Start a stream of each provider' }).click()
  await last.locator('#exchanges .badge', { hasText: 'streaming' }).nth(2).waitFor()

  await setHidden(last, true)
  const asked: string[] = []
  last.on('request', (request) => asked.push(request.url()))
  for (let time = 0; time < 5; time++) await first.waitForResponse(/\/streams\/state/)
  assert.deepEqual(asked, [])
  await Promise.all([last.waitForResponse(/\/streams\/state/), setHidden(last, false)])
})

async function newTab(page: Page, url: string): Promise<Page> {
  const tab = await page.context().newPage()
  await tab.goto(url)
  return tab
}

async function isLive(page: Page): Promise<void> {
  await page.locator('#connection', { hasText: /^live$/ }).waitFor()
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Your prompt').fill(text)
  await page.getByLabel('Your prompt').press('Enter')
}

/** Hides a tab from its own scripts: to Playwright's tabs, all of them are visible. */
async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} })
    document.dispatchEvent(new Event('visibilitychange'))
  `)
}
