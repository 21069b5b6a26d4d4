import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { chooseProvider } from '../../example-app/providers/choose-providers.js'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import {
  assertAccessible,
  assertFits,
  assertInSight,
  assertWithin,
  closeBrowser,
  dark,
  linesOf,
  noBrowser,
  openPage,
  phone,
} from './browser.js'
import { endlessProviders } from './endless-provider.js'
import { prompt, runningApp, unreachable } from './running-app.js'
import { tcpRelay } from './tcp-relay.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('streams are shown live, and controls never wait for them: start twice, abort at once', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`)
  const open = new Set<string>()
  page.on('request', (request) => open.add(`${request.method()} ${request.url().slice(url.length)}`))
  page.on('requestfinished', (request) => open.delete(`${request.method()} ${request.url().slice(url.length)}`))
  await page.locator('#connection', { hasText: 'live' }).waitFor()
  const start = page.getByRole('button', { name: 'Start a stream of each provider' })
  await start.click()
  await start.click()

  const rows = page.locator('#exchanges tbody tr')
  await rows.nth(5).waitFor()
  await page.locator('[data-gauge="active"]', { hasText: '6' }).waitFor()
  const first = rows.filter({ hasText: 'anthropic' }).first()
  await first.locator('.badge', { hasText: 'streaming' }).waitFor()
  assert.equal(await cell(first, 'client').innerText(), 'demo')
  assert.equal(await cell(first, 'status').innerText(), '200')
  assert.match(await cell(first, 'time').innerText(), /^\d\d:\d\d:\d\d$/)
  const sent = await cell(first, 'tokens').innerText()
  await cell(first, 'tokens').filter({ hasNotText: sent }).waitFor() // it grows

  // No stream ends by itself, so an abort that waited for one would wait for ever.
  await first.getByRole('button', { name: 'Abort' }).click()
  const ended = rows.filter({ hasText: 'anthropic' }).filter({ has: page.locator('.badge', { hasText: 'aborted' }) })
  await ended.waitFor()
  assert.match(await cell(ended, 'tokens').innerText(), /^≈ [1-9]\d* out$/)
  assert.equal(await page.getByRole('button', { name: 'Abort' }).count(), 5, 'the others go on')
  await page.locator('#said', { hasText: 'Aborted.' }).waitFor({ state: 'attached' })
  assert.deepEqual(
    [...open].filter((one) => !one.includes('/state')),
    [],
    'nothing but short requests for the state',
  )
  await assertAccessible(page, 'streams-desktop-live')
})

test('an abort by keyboard keeps the focus', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`, dark)
  await page.getByRole('button', { name: 'Start a stream of each provider' }).press('Enter')
  await page.getByRole('button', { name: 'Abort' }).first().press('Enter')
  await page.locator('.badge', { hasText: 'aborted' }).waitFor()
  await page.locator('tr', { hasText: 'aborted' }).locator('.open-record:focus').waitFor()
})

for (const [name, options] of Object.entries({ desktop: {}, phone })) {
  test(`it is shown why a start or an abort failed, from any row: ${name}`, inBrowser, async (t) => {
    const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
    const provoked = /^Failed to load resource: .*(?: 404 |ERR_FAILED)/
    const page = await openPage(t, `${url}/streams/`, { ...options, provoked })
    const start = page.getByRole('button', { name: 'Start a stream of each provider' })
    await page.route('**/streams/demo', (route) => route.abort())
    await start.click()
    const said = page.locator('#said')
    await said.filter({ hasText: 'The app cannot be reached.' }).waitFor()
    await assertInSight(said)
    await page.unroute('**/streams/demo')
    for (let time = 1; time <= 4; time++) {
      await start.click()
      await page
        .locator('#exchanges tbody tr')
        .nth(3 * time - 1)
        .waitFor()
    }
    await said.filter({ hasText: 'Started.' }).waitFor({ state: 'attached' })
    assert.equal((await said.boundingBox())?.height, 1, 'what succeeds shows in the table')

    // As if the exchange had ended while the click was on its way.
    await page.route('**/streams/exchanges/*', (route) =>
      route.continue({ url: `${url}/streams/exchanges/ended-already` }),
    )
    await page.getByRole('button', { name: 'Abort' }).last().click()
    await said.filter({ hasText: '404 Not Found: The exchange has ended already.' }).waitFor()
    await assertInSight(said)
    await assertAccessible(page, `streams-${name}-failed`)
  })
}

test('rows can be filtered by text and outcome, sorted by any column, and opened', inBrowser, async (t) => {
  const local = await startLocalProvider({ eventsPerSecond: 1000 })
  const prices = { any: { input: 1, output: 2 } }
  const url = await runningApp(t, local, { dashboard: true, prices })
  for (const [text, id] of [
    ['Refuse me.', 'one'],
    ['Why do you stream?', 'two'],
    ['Hello!', 'three'],
  ]) {
    await (await fetch(`${url}/ai/v1/chat/completions`, prompt(text!, id!))).text()
  }
  const page = await openPage(t, `${url}/streams/`)
  const rows = page.locator('#exchanges tbody tr')
  await rows.nth(2).waitFor()
  const outputs = async () => (await rows.locator('[data-column="tokens"]').allInnerTexts()).map(outputOf)

  const sortButton = page.getByRole('button', { name: 'Tokens', exact: true })
  await sortButton.click()
  const descending = await outputs()
  assert.ok(descending[0]! > descending[1]!, String(descending))
  assert.equal(descending[2], undefined, 'those without a value come last')
  assert.equal(await page.locator('th[data-column="tokens"]').getAttribute('aria-sort'), 'descending')
  await sortButton.click()
  assert.deepEqual(await outputs(), [descending[1], descending[0], undefined])
  await page.getByRole('button', { name: 'Outcome', exact: true }).click()
  assert.deepEqual(await rows.locator('.badge').allInnerTexts(), ['completed', 'completed', 'provider error 429'])

  await page.locator('#status').selectOption('Failed')
  assert.deepEqual(await rows.locator('.badge').allInnerTexts(), ['provider error 429'])
  await page.locator('#status').selectOption('All outcomes')
  await page.getByLabel('Search').fill('completed openai')
  assert.deepEqual(await rows.locator('.badge').allInnerTexts(), ['completed', 'completed'])
  assert.equal(await page.locator('#count').innerText(), '2 of 3 shown')
  await page.getByLabel('Search').fill('nothing like it')
  await page.getByText('No exchange matches the filter.').waitFor()
  await page.getByLabel('Search').fill('429')
  assert.equal(await rows.count(), 1)
  await page.getByLabel('Search').fill('completed')

  assert.match(await cell(rows.first(), 'cost').innerText(), /^\$0\.000\d+$/)
  await rows
    .first()
    .getByRole('button', { name: /open the record/ })
    .press('Enter')
  const dialog = page.locator('dialog[open]')
  const shown = new Set(
    await dialog.locator('dl > div').evaluateAll((all) => all.map((one) => one.getAttribute('data-field'))),
  )
  const record = JSON.parse((await dialog.locator('pre').textContent()) ?? '')
  for (const [name, value] of Object.entries(record)) {
    if (isEmpty(value)) continue
    assert.ok(shown.has(name) || [...shown].some((one) => one?.startsWith(`${name}.`)), name)
  }
  assert.equal(record.model, 'any')
  assert.match(await dialog.locator('[data-field="attempts"] dd').innerText(), /: 200 after [\d.]+ m?s$/)
  await assertAccessible(page, 'streams-desktop-record')
  await dialog.getByRole('button', { name: 'Close' }).click()
  await dialog.waitFor({ state: 'detached' })
})

test('an address keeps the filter and the order, with the record that is open', inBrowser, async (t) => {
  const local = await startLocalProvider({ eventsPerSecond: 1000 })
  const url = await runningApp(t, local, { dashboard: true })
  for (const [text, cookie] of [
    ['Refuse me.', 'example-user=ada'],
    ['Hello!', ''],
  ] as const) {
    await (await fetch(`${url}/ai/v1/chat/completions`, prompt(text, text.slice(0, 5), cookie))).text()
  }
  const page = await openPage(t, `${url}/streams/`)
  const rows = page.locator('#exchanges tbody tr')
  const dialog = page.locator('dialog[open]')
  await rows.nth(1).waitFor()
  assert.equal(page.url(), `${url}/streams/`)
  await page.getByLabel('Search').fill('ada')
  await page.locator('#status').selectOption('Failed')
  await page.getByRole('button', { name: 'Duration', exact: true }).click()
  const filtered = `${url}/streams/?search=ada&status=failed&sort=duration+true`
  assert.equal(page.url(), filtered)
  assert.equal(await cell(rows, 'client').innerText(), 'node · ada')
  await rows.locator('.open-record').click()
  await dialog.waitFor()
  const address = page.url()
  assert.ok(address.startsWith(`${filtered}#`), address)

  await page.goto(`${url}/usage/`)
  await page.goBack()
  await dialog.locator('.badge', { hasText: 'provider error 429' }).waitFor()
  assert.equal(page.url(), address)
  assert.equal(await page.locator('th[data-column="duration"]').getAttribute('aria-sort'), 'descending')
  await page.keyboard.press('Escape')
  await page.waitForURL(filtered)
  assert.equal(await rows.count(), 1)

  const linked = await openPage(t, address)
  await linked.locator('dialog[open]').getByRole('button', { name: 'Close' }).click()
  await linked.waitForURL(filtered)
  await linked.goto(`${url}/streams/?status=nonsense&sort=nonsense`)
  await linked.locator('#exchanges tbody tr').nth(1).waitFor()
  await linked.waitForURL(`${url}/streams/`)
})
test(
  'an open record has an address, which Back leaves, a link opens, and a wrong link explains',
  inBrowser,
  async (t) => {
    const local = await startLocalProvider({ eventsPerSecond: 1000 })
    const url = await runningApp(t, local, { dashboard: true })
    await (await fetch(`${url}/ai/v1/chat/completions`, prompt('Hello!', 'one'))).text()
    const page = await openPage(t, `${url}/streams/`)
    const dialog = page.locator('dialog[open]')
    const id = await page.locator('#exchanges tbody tr').getAttribute('data-id')
    await page.locator('.open-record').click()
    await dialog.waitFor()
    assert.equal(page.url(), `${url}/streams/#${id}`)
    await page.goBack()
    await dialog.waitFor({ state: 'detached' })
    await page.goForward()
    await dialog.locator('[data-field="id"]', { hasText: id! }).waitFor()
    await page.keyboard.press('Escape')
    await page.waitForURL(`${url}/streams/`)
    assert.equal(await dialog.count(), 0)

    const linked = await openPage(t, `${url}/streams/#${id}`)
    await linked.locator('dialog[open] [data-field="id"]', { hasText: id! }).waitFor()
    await linked.getByRole('button', { name: 'Close' }).click()
    await linked.waitForURL(`${url}/streams/`)
    const wrong = await openPage(t, `${url}/streams/#%E0`)
    await wrong.locator('#said', { hasText: 'The exchange of this link is not kept any more.' }).waitFor()
    await assertInSight(wrong.locator('#said'))
  },
)

test('an open record that changes keeps the focus and what is selected', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`)
  await page.getByRole('button', { name: 'Start a stream of each provider' }).click()
  await page.locator('.open-record').first().click()
  const dialog = page.locator('dialog[open]')
  const id = await dialog.locator('[data-field="id"] dd').innerText()
  const age = dialog.locator('[data-field="age"] dd')
  // Once it streams, it gets no further fields, which would make its sections anew.
  await dialog.locator('[data-field="phase"] dd', { hasText: 'streaming' }).waitFor()
  await dialog.locator('summary').focus()
  await page.evaluate('getSelection().selectAllChildren(document.querySelector("dialog [data-field=id] dd"))')
  const before = await age.innerText()
  for (let state = 0; state < 2; state++) await page.waitForResponse(/state/)
  await page.evaluate('new Promise(requestAnimationFrame)')
  assert.notEqual(await age.innerText(), before)
  await dialog.locator('summary:focus').waitFor()
  assert.equal(await page.evaluate('String(getSelection())'), id)

  await fetch(`${url}/streams/exchanges/${id}`, { method: 'DELETE' })
  await dialog.locator('.badge', { hasText: 'aborted' }).waitFor()
  await dialog.locator('summary:focus').waitFor()
})

test('of many exchanges, it is said how many are shown', inBrowser, async (t) => {
  const local = await startLocalProvider({ eventsPerSecond: 1000 })
  const url = await runningApp(t, local, { dashboard: true })
  const asks = Array.from({ length: 60 }, (_, at) =>
    fetch(`${url}/ai/v1/chat/completions`, prompt(at < 55 ? 'Refuse me.' : 'Hello!', `many-${at}`)),
  )
  for (const answer of await Promise.all(asks)) await answer.text()
  const page = await openPage(t, `${url}/streams/`)
  const count = page.locator('#count')
  await count.filter({ hasText: /^50 of 60 shown$/ }).waitFor()
  await page.locator('#status').selectOption('Failed')
  assert.equal(await count.innerText(), '50 of 55 shown, 60 in all')
  await page.getByRole('button', { name: 'Show more' }).click()
  assert.equal(await count.innerText(), '55 of 60 shown')
  await page.locator('#status').selectOption('All outcomes')
  await page.getByRole('button', { name: 'Show more' }).press('Enter')
  assert.equal(await count.innerText(), '60 shown')
  assert.equal(await page.locator('#exchanges tbody tr').nth(50).locator('.open-record:focus').count(), 1)
})

test(
  'a lost connection is shown, its rows do not stay "streaming", and the next connection is up to date',
  inBrowser,
  async (t) => {
    const app = await runningApp(t, await endlessProviders(t), { dashboard: true })
    const relay = await tcpRelay(t, app)
    const page = await openPage(t, `${relay.url}/streams/`, { provoked: /ERR_(?:CONNECTION|EMPTY|INCOMPLETE|SOCKET)/ })
    await page.getByRole('button', { name: 'Start a stream of each provider' }).click()
    const badges = page.locator('#exchanges .badge')
    await badges
      .filter({ hasText: /^streaming$/ })
      .nth(2)
      .waitFor()

    relay.cut()
    await page.locator('#connection', { hasText: 'Connection lost, trying again… The page shows' }).waitFor()
    assert.deepEqual(await badges.allInnerTexts(), Array(3).fill('last seen streaming'))
    assert.equal(await page.getByRole('button', { name: 'Abort' }).first().isDisabled(), true)
    await assertAccessible(page, 'streams-desktop-lost')

    // Meanwhile one of them ends.
    const [id] = await page
      .locator('#exchanges tbody tr')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-id')))
    assert.equal((await fetch(`${app}/streams/exchanges/${id}`, { method: 'DELETE' })).status, 204)
    relay.restore()
    await page.locator('#connection', { hasText: /^live$/ }).waitFor()
    await badges.filter({ hasText: 'aborted' }).waitFor()
    assert.equal(await badges.filter({ hasText: /^streaming$/ }).count(), 2)
    assert.equal(await page.getByRole('button', { name: 'Abort' }).first().isDisabled(), false)
  },
)

test('the charts are never empty, and show values under the pointer', inBrowser, async (t) => {
  const url = await runningApp(t, await startLocalProvider(), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`)
  await page
    .getByRole('figure', { name: /^Event-loop delay\. Worst of a second: now .* ms, at most .* ms\. Median: now/ })
    .waitFor()
  const health = page.getByRole('figure', {
    name: /^Latency of \/health\. Took: now [\d.]+ m?s, at most [\d.]+ m?s\.$/,
  })
  await health.waitFor()
  const legend = health.locator('.u-legend')
  assert.match(await legend.innerText(), /Time[\s\S]*\d\d:\d\d:\d\d[\s\S]*Took[\s\S]*\d m?s/)

  // A page that opens later has what was measured before.
  await page.locator('#loop-chart .u-legend', { hasText: 'ms' }).waitFor()
  await page.reload()
  await health.waitFor()
  const area = await page.locator('#health-chart .u-over').boundingBox()
  await page.mouse.move(area!.x + area!.width - 2, area!.y + 20)
  await legend.filter({ hasText: /Took:?\s*[\d.]+ m?s/ }).waitFor()
})

test('a line can be hidden by the keyboard, and markers follow the colour scheme', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`)
  const toggle = page.getByRole('button', { name: 'Show Median' })
  await toggle.waitFor()
  assert.equal(await page.locator('#health-chart .u-legend button').count(), 0, 'a single line cannot be hidden')
  const seen = new Set<string | undefined>()
  const hidden = page.locator('#loop-chart .u-off', { hasText: 'Median' }) // uPlot sets this class if it hides a line

  await toggle.focus()
  await page.keyboard.press('Space')
  await page.locator('[aria-label="Show Median"][aria-pressed="false"]:focus').waitFor()
  await hidden.waitFor()
  await assertAccessible(page, 'streams-desktop-hidden-line')
  await toggle.press('Enter')
  await page.locator('[aria-label="Show Median"][aria-pressed="true"]').waitFor()
  await hidden.waitFor({ state: 'detached' })

  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const [marker, line] = (await page.evaluate(`
      const probe = document.body.appendChild(document.createElement('p'))
      probe.style.color = 'var(--accent)';
      [getComputedStyle(document.querySelector('#loop-chart .marker')).borderTopColor, getComputedStyle(probe).color]
    `)) as string[]
    seen.add(marker)
    assert.equal(marker, line)
  }
  assert.equal(seen.size, 2, 'the schemes differ')
})

test('on a phone each row is a card, and a list sorts them', inBrowser, async (t) => {
  const url = await runningApp(t, await endlessProviders(t), { dashboard: true })
  const page = await openPage(t, `${url}/streams/`, phone)
  await page.getByText('Nothing has happened yet.').waitFor()
  await assertAccessible(page, 'streams-phone-empty')
  assert.equal(await page.getByLabel('Sort by').locator('option:checked').innerText(), 'Time, newest')
  await page.getByRole('button', { name: 'Start a stream of each provider' }).tap()
  const streaming = page.locator('#exchanges .badge', { hasText: 'streaming' })
  await streaming.nth(2).waitFor()
  assert.equal(await streaming.first().getAttribute('data-tone'), 'busy', 'not the colour of what has been completed')
  await page.getByRole('button', { name: 'Abort' }).first().tap()
  await page.locator('#exchanges .badge', { hasText: 'aborted' }).waitFor()
  await page.getByLabel('Sort by').selectOption('Outcome, A to Z')
  await page.locator('#exchanges tbody tr').first().locator('.badge', { hasText: 'aborted' }).waitFor()
  await assertFits(page)
  await assertAccessible(page, 'streams-phone-live')
  await page.locator('#exchanges tbody tr').first().tap()
  await page.locator('dialog[open]').waitFor()
  await assertAccessible(page, 'streams-phone-record')
})

test("a provider's outage is shown with its status or reason, on a phone as well", inBrowser, async (t) => {
  const refusing = await startLocalProvider()
  const silent = await chooseProvider({ ANTHROPIC_API_KEY: 'sk', ANTHROPIC_TARGET: await unreachable() }, 'anthropic')
  const url = await runningApp(t, [refusing, silent], { dashboard: true })
  await (await fetch(`${url}/ai/v1/chat/completions`, prompt('Refuse me.', 'one'))).text()
  await (await fetch(`${url}/anthropic/v1/messages`, prompt('Hi', 'two'))).text()

  const page = await openPage(t, `${url}/streams/`, phone)
  const rows = page.locator('#exchanges tbody tr')
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
  await assertAccessible(page, 'streams-phone-outage')
})

function cell(row: Locator, column: string): ReturnType<Page['locator']> {
  return row.locator(`[data-column="${column}"]`)
}

function outputOf(tokens: string): number | undefined {
  const [, output] = /(\d+) out/.exec(tokens) ?? []
  return output === undefined ? undefined : Number(output)
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}
