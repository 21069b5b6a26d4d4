import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { startLocalProvider } from '../../example-app/local-provider.js'
import { chooseProvider } from '../../example-app/provider.js'
import {
  assertFits,
  assertWithin,
  closeBrowser,
  dark,
  linesOf,
  noBrowser,
  openPage,
  phone,
  picture,
} from './browser.js'
import { endlessProviders } from './endless-provider.js'
import { prompt, runningApp, unreachable } from './running-app.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }
/** The page's own streams are what it aborts. */
const provoked = /^Failed to load resource: (net::ERR_INCOMPLETE_CHUNKED_ENCODING|.* 503 )/

test('streams under way are shown live, and one can be aborted', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/dashboard/`, { provoked })
  await page.locator('#connection').filter({ hasText: 'live' }).waitFor()
  await page.getByRole('button', { name: 'Start a stream of each provider' }).click()

  const rows = page.locator('#active tbody tr')
  await rows.nth(2).waitFor()
  const first = rows.filter({ hasText: 'anthropic' })
  await first.filter({ hasText: 'streaming' }).waitFor()
  await page.locator('[data-gauge="active"]').filter({ hasText: '3' }).waitFor()
  const sent = await cell(first, 'Sent').innerText()
  await first.locator('[data-label="Sent"]').filter({ hasNotText: sent }).waitFor() // it grows
  await page.locator('#health-chart polyline').waitFor({ state: 'attached' })
  await page.locator('#loop-chart polyline[data-tone="accent"]').waitFor({ state: 'attached' })
  await picture(page, 'streams-light')

  await first.getByRole('button', { name: 'Abort' }).click()
  await first.waitFor({ state: 'detached' })
  const ended = page.locator('#finished tbody tr').filter({ hasText: 'aborted' })
  await ended.filter({ hasText: 'anthropic' }).waitFor()
  assert.match(await cell(ended, 'Tokens').innerText(), /^≈ [1-9]\d*$/)
  assert.match(await cell(ended, 'Turns').innerText(), /^[1-9]\d*$/)
  assert.match(await cell(ended, 'Longest turn').innerText(), /\d ms$/)
  assert.equal(await rows.count(), 2, 'the others go on')
  assert.equal(await page.locator('#said').innerText(), 'Aborted.')
})

test('an abort by the keyboard does not lose the focus', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/dashboard/`, { ...dark, provoked })
  await page.getByRole('button', { name: 'Start a stream of each provider' }).press('Enter')
  const row = page.locator('#active tbody tr').first()
  await row.getByRole('button', { name: 'Abort' }).press('Enter')
  await page.locator('#active-title:focus').waitFor()
  await page.locator('#finished tbody tr').first().waitFor()
  await picture(page, 'streams-dark')
})

test('on a phone each row is a card', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/dashboard/`, { ...phone, provoked })
  await page.getByRole('button', { name: 'Start a stream of each provider' }).tap()
  await page.locator('#active tbody tr').nth(2).filter({ hasText: 'streaming' }).waitFor()
  await page.getByRole('button', { name: 'Abort' }).first().tap()
  await page.locator('#finished tbody tr').first().waitFor()
  await page.locator('#health-chart polyline').waitFor({ state: 'attached' })
  await assertFits(page)
  await picture(page, 'streams-phone')
})

test('an outage of a provider is seen, with its status or its reason, on a phone as well', inBrowser, async (t) => {
  const refusing = await startLocalProvider()
  const silent = await chooseProvider({ ANTHROPIC_API_KEY: 'sk', ANTHROPIC_TARGET: await unreachable() }, 'anthropic')
  const url = await runningApp(t, [refusing, silent], { dashboard: true })
  await (await fetch(`${url}/ai/v1/chat/completions`, prompt('Refuse me.', 'one'))).text()
  await (await fetch(`${url}/anthropic/v1/messages`, prompt('Hi', 'two'))).text()

  const page = await openPage(t, `${url}/dashboard/`, { ...phone, viewport: { width: 390, height: 800 } })
  const rows = page.locator('#finished tbody tr')
  for (const [provider, fate] of [
    ['openai', 'provider error 429'],
    ['anthropic', 'upstream unreachable'],
  ]) {
    const row = rows.filter({ hasText: provider })
    const badge = row.locator('.badge')
    await badge.waitFor()
    assert.equal(await badge.innerText(), fate)
    assert.equal(await badge.getAttribute('data-tone'), 'bad')
    assert.equal(await linesOf(badge), 1, fate)
    await assertWithin(badge, row)
  }
  assert.match(await rows.filter({ hasText: 'anthropic' }).locator('.reason').innerText(), /reached.*ECONNREFUSED/)
  await assertFits(page)
  await picture(page, 'streams-phone-outage')
})

function cell(row: ReturnType<Page['locator']>, label: string) {
  return row.locator(`[data-label="${label}"]`)
}
