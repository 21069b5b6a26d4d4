import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import type { LimitsByTier } from '../../example-app/usage/day-quota.js'
import {
  assertAccessible,
  assertFits,
  assertInSight,
  closeBrowser,
  dark,
  noBrowser,
  openPage,
  phone,
} from './browser.js'
import { runningApp } from './running-app.js'
import { scriptedProvider } from './scripted-provider.js'
import { tcpRelay } from './tcp-relay.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

/** Each answer of the scripted provider uses 1,000 tokens in and 500 out: $0.006. */
const prices = { 'scripted-1': { input: 2, output: 8 } }
const limits: LimitsByTier = {
  paid: { tokens: 100_000, cost: 1 },
  free: { tokens: 2000, cost: 0.05 },
  guest: { tokens: 10_000, cost: 1 },
}
const refusal = /^Failed to load resource: .* 429 /

for (const [name, options] of Object.entries({
  desktop: {},
  wide: { viewport: { width: 1400, height: 800 }, ...dark },
  phone,
})) {
  test(
    `the chat shows what is left of the day, switches users, and says when a quota has room again: ${name}`,
    inBrowser,
    async (t) => {
      const { provider, next } = await scriptedProvider(t)
      const url = await runningApp(t, provider, { dashboard: true, prices, limits })
      const page = await openPage(t, url, { ...options, provoked: refusal })
      const answerNext = async () => {
        const asked = await next()
        asked.write('Hello.')
        asked.end()
      }
      assert.equal(await page.getByRole('radio', { name: 'Ada' }).isChecked(), true)
      assert.deepEqual(await left(page), ['100,000 of 100,000 tokens left', '$1.00 of $1.00 left'])
      await assertInSight(page.locator('#account'))
      await assertAccessible(page, `account-${name}-full`)

      await ask(page, 'Hi')
      await answerNext()
      await page.locator('#left', { hasText: '98,500' }).waitFor()
      assert.deepEqual(await left(page), ['98,500 of 100,000 tokens left', '$0.994 of $1.00 left'])

      const users = page.getByRole('group', { name: 'Signed in as' })
      await users.getByText('Bo').click()
      await page.locator('#status', { hasText: 'Signed in as Bo. Today: 2,000 tokens left, $0.05 left.' }).waitFor()
      assert.deepEqual(await left(page), ['2,000 of 2,000 tokens left', '$0.05 of $0.05 left'])
      await ask(page, 'Hi')
      await answerNext()
      await page.locator('#left', { hasText: '500 of 2,000' }).waitFor({ state: 'attached' })

      await ask(page, 'Once more')
      const problem = page.locator('.problem:visible')
      await problem.waitFor()
      const [first, second] = (await problem.innerText()).split('\n')
      assert.match(
        first!,
        /^Your quota has no room for this prompt\. There is room again at \d\d:\d\d, in (\d+ h )?\d+ min\.$/,
      )
      assert.match(second!, /^The quota of tokens per day for user:bo is exceeded: 1500 of 2000 used/)
      await page.locator('.details').nth(2).waitFor()
      assert.match(await problem.innerText(), /^Your quota has no room/, 'the record does not replace it')
      assert.equal(await page.locator('.turn').last().locator('[data-field="outcome"]').innerText(), 'quota exceeded')
      await assertInSight(problem)
      await assertFits(page)
      await assertAccessible(page, `account-${name}-refused`)

      // The other user has room, and the choice outlives a reload.
      await users.getByText('Ada').click()
      await page.locator('#left', { hasText: '98,500' }).waitFor()
      await page.locator('.retry').last().click()
      await answerNext()
      await page.locator('#left', { hasText: '97,000' }).waitFor()
      await users.getByText('Bo').click()
      await page.locator('#left', { hasText: '500 of 2,000' }).waitFor({ state: 'attached' })
      await page.reload()
      await page.locator('#left', { hasText: '500 of 2,000' }).waitFor({ state: 'attached' })
      assert.equal(await page.getByRole('radio', { name: 'Bo' }).isChecked(), true)
    },
  )
}

test('for a prompt that needs more than the whole quota, the page says what helps', inBrowser, async (t) => {
  const { provider } = await scriptedProvider(t, 'anthropic')
  const page = await openPage(t, await runningApp(t, provider, { limits }), { provoked: refusal })
  assert.deepEqual(await left(page), ['100,000 of 100,000 tokens left'], 'without prices there is no money')
  await page.getByRole('radio', { name: 'Bo' }).press('Space')
  await page.locator('#status', { hasText: 'Signed in as Bo.' }).waitFor()
  await ask(page, 'Hi')
  const problem = page.locator('.problem:visible')
  await problem
    .filter({
      hasText:
        /^This prompt may need more than your whole quota of a day\..*a lower “Max tokens”, or begin a new conversation/,
    })
    .waitFor()
})

test('nobody switches users in mid-answer, in any tab, so that Stop still stops the provider', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider, { limits })
  const page = await openPage(t, url)
  const other = await page.context().newPage()
  await other.goto(url)
  await ask(page, 'Hi')
  const asked = await next()
  asked.write('Hello.')
  await page.locator('.answer', { hasText: 'Hello.' }).waitFor()
  for (const tab of [page, other]) {
    await tab.getByRole('group', { name: 'Signed in as' }).getByText('Bo').click()
    await tab.getByRole('alert').filter({ hasText: 'An answer is under way, in this tab or another.' }).waitFor()
    assert.equal(await tab.getByRole('radio', { name: 'Ada' }).isChecked(), true)
  }
  await assertAccessible(page, 'account-desktop-under-way')

  await page.getByRole('button', { name: 'Stop' }).click()
  await asked.gone
  await page.locator('.details').waitFor()
  await page.getByRole('alert').waitFor({ state: 'hidden' })
  await page.getByRole('group', { name: 'Signed in as' }).getByText('Bo').click()
  await page.locator('#status', { hasText: 'Signed in as Bo.' }).waitFor()
})

test('a switch that fails is shown, and the user stays', inBrowser, async (t) => {
  const { provider } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider, { limits }), {
    provoked: /^Failed to load resource: .*ERR_FAILED/,
  })
  await page.locator('#account').waitFor()
  await page.route('**/account/user', (route) => route.abort())
  await page.getByRole('group', { name: 'Signed in as' }).getByText('Bo').click()
  await page.getByRole('alert').filter({ hasText: 'The app cannot be reached.' }).waitFor()
  assert.equal(await page.getByRole('radio', { name: 'Ada' }).isChecked(), true)
  await assertAccessible(page, 'account-desktop-failed')
})

for (const [name, options] of Object.entries({ desktop: {}, phone })) {
  test(`the Usage page shows live who uses what: ${name}`, inBrowser, async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const url = await runningApp(t, provider, { dashboard: true, prices, limits })
    const usage = await openPage(t, `${url}/usage/`, options)
    await usage.locator('#connection', { hasText: 'live' }).waitFor()
    await usage.getByText('Nobody has used anything yet.').waitFor()
    await assertFits(usage)
    await assertAccessible(usage, `usage-${name}-empty`)

    const bo = signedIn(url, 'bo')
    const answered = bo()
    const asked = await next()
    asked.write('Hello, and a few more words.')
    const row = usage.locator('tr', { hasText: 'Bo' })
    await cell(row, 'active').filter({ hasText: /^1$/ }).waitFor()
    await cell(row, 'tokens')
      .filter({ hasText: /≈ [1-9]\d* out$/ })
      .waitFor()
    asked.end()
    assert.equal(await answered, 200)
    assert.equal(await bo(), 429)

    await cell(row, 'refused').filter({ hasText: /^1$/ }).waitFor()
    assert.deepEqual(await row.locator('td').allInnerTexts(), [
      ...['Bo', 'Umbrella', 'scripted-1', '0', '1', '0', '0', '1', '1,000 in · 500 out', '$0.0060'],
    ])
    const sides = await row
      .locator('td')
      .evaluateAll((cells) => cells.map((one) => one.ownerDocument.defaultView!.getComputedStyle(one).textAlign))
    const figures = name === 'phone' ? 'start' : 'end'
    assert.deepEqual(
      sides,
      sides.map((_, index) => (index < 3 ? 'start' : figures)),
    )
    const card = usage.locator('#user-bo')
    await card.locator('[data-kind="tokens"]', { hasText: '500 of 2,000 tokens left' }).waitFor()
    assert.match(await card.innerText(), /^Bo\s+Umbrella · free\s+500 of 2,000 tokens left\s+\$0\.044 of \$0\.05 left$/)
    await usage.locator('#user-ada', { hasText: '100,000 of 100,000' }).waitFor()
    await assertFits(usage)
    await assertAccessible(usage, `usage-${name}-used`)
  })
}

test('the Usage page says that its connection is lost, and goes on once it is back', inBrowser, async (t) => {
  const { provider } = await scriptedProvider(t)
  const relay = await tcpRelay(t, await runningApp(t, provider, { dashboard: true, limits }))
  const page = await openPage(t, `${relay.url}/usage/`, { provoked: /ERR_(?:CONNECTION|EMPTY|INCOMPLETE|SOCKET)/ })
  await page.locator('#connection', { hasText: 'live' }).waitFor()
  relay.cut()
  await page.locator('#connection', { hasText: 'Connection lost, trying again… The page shows' }).waitFor()
  await assertAccessible(page, 'usage-desktop-lost')
  relay.restore()
  await page.locator('#connection', { hasText: /^live$/ }).waitFor()
})

test('the chat asks for the account once per answer, and not in between', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider, { limits }))
  await page.locator('#account').waitFor()
  let asked = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/account')) asked++
  })
  for (const turn of [1, 2]) {
    await ask(page, 'Hi')
    const request = await next()
    for (let piece = 0; piece < 20; piece++) request.write('Hello. ')
    request.end()
    await page.locator('#left', { hasText: turn === 1 ? '98,500' : '97,000' }).waitFor()
  }
  assert.equal(asked, 2)
})

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Your prompt').fill(text)
  await page.getByLabel('Your prompt').press('Enter')
}

/** What the list says, hidden parts as well: on a phone, the totals are. */
async function left(page: Page): Promise<(string | null)[]> {
  await page.locator('#left li').first().waitFor()
  return page.locator('#left li').evaluateAll((all) => all.map((one) => one.textContent))
}

function cell(row: ReturnType<Page['locator']>, column: string) {
  return row.locator(`[data-column="${column}"]`)
}

/** Asks as a user, and resolves with the status of the answer. */
function signedIn(url: string, user: string) {
  const body = JSON.stringify({ model: 'scripted-1', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  const headers = { 'content-type': 'application/json', cookie: `example-user=${user}` }
  return async () => {
    const response = await fetch(`${url}/ai/v1/chat/completions`, { method: 'POST', headers, body })
    await response.text()
    return response.status
  }
}
