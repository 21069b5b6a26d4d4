import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { startLocalProvider } from '../../example-app/local-provider.js'
import { chooseProvider, chooseProviders, type ProviderId } from '../../example-app/provider.js'
import { assertFits, closeBrowser, dark, linesOf, noBrowser, openPage, phone, picture } from './browser.js'
import { endlessProvider } from './endless-provider.js'
import { runningApp, unreachable } from './running-app.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('a prompt is typed, the answer grows, and below it stands what it cost', inBrowser, async (t) => {
  const page = await openPage(t, await runningApp(t, await chooseProviders({}), { dashboard: true }))
  await page.locator('#prompt:focus').waitFor() // from the start, once the page knows its providers
  await page.keyboard.type('Why do you stream?')
  await page.keyboard.press('Enter')

  const answer = page.locator('.answer')
  await answer.filter({ hasText: 'A model writes' }).waitFor()
  const early = await answer.innerText()
  await page.locator('.running').waitFor()
  await answer.filter({ hasText: 'in front of me does.' }).waitFor()
  const whole = await answer.innerText()

  assert.ok(whole.startsWith(early) && early.length < whole.length, 'it grew')
  const cost = page.locator('.record')
  await cost.waitFor()
  assert.match(await shown(page, 'outcome'), /^completed$/)
  assert.match(await shown(page, 'firstTokenMs'), /\d m?s$/)
  assert.match(await shown(page, 'outputTokensPerSecond'), /^\d+\.\d tokens\/s$/)
  assert.match(await shown(page, 'usage'), /^\d+ in · \d+ out$/)
  assert.equal(await page.locator('#status').innerText(), 'Answer complete.')
  assert.match(await page.locator('#spoken').innerText(), /^A model writes its answer one token after another\./)
  await picture(page, 'chat-light')
})

for (const id of ['openai', 'anthropic', 'gemini'] satisfies ProviderId[]) {
  test(`each format is spoken: ${id}`, inBrowser, async (t) => {
    const providers = await Promise.all(
      (['openai', 'anthropic', 'gemini'] as const).map((id) => startLocalProvider({ id, eventsPerSecond: 300 })),
    )
    const page = await openPage(t, await runningApp(t, providers), {
      ...dark,
      provoked: /^Failed to load resource: .* 429 /,
    })
    const { title } = providers.find((one) => one.id === id)!
    await page.getByRole('radio', { name: title }).check()
    await ask(page, 'Hello!')
    await page.locator('.record').waitFor()

    assert.match(await page.locator('.answer').innerText(), /^I am the stand-in[\s\S]*into your browser\.$/)
    assert.equal(await page.locator('.problem').isVisible(), false)
    assert.equal(await shown(page, 'outcome'), 'completed')
    assert.match(await shown(page, 'usage'), /^\d+ in · [1-9]\d* out$/)
    assert.match(await page.locator('.record pre').textContent().then(String), new RegExp(`"format": "${id}`))

    await page.getByRole('button', { name: 'Break off in the middle.' }).click()
    await page
      .locator('.problem')
      .filter({ hasText: /broke off.*\(upstream_reset\)/i })
      .waitFor()
    await page.getByRole('button', { name: 'Refuse me.' }).click()
    await page
      .locator('.problem')
      .filter({ hasText: /^429 .*You asked to be refused/ })
      .waitFor()
    const refused = page.locator('.record').nth(2)
    await refused.waitFor()
    assert.equal(await refused.locator('[data-field="outcome"] dd').innerText(), 'provider error 429')
    assert.equal(await refused.getAttribute('data-tone'), 'bad')
    await picture(page, `chat-dark-${id}`)
  })
}

for (const [how, stop] of Object.entries({
  'the button': (page: Page) => page.getByRole('button', { name: 'Stop' }).click(),
  'the key': (page: Page) => page.keyboard.press('Escape'),
})) {
  test(`Stop stops the provider, by ${how}`, inBrowser, async (t) => {
    const provider = await endlessProvider(t)
    const url = await runningApp(t, await chooseProvider({ AI_TARGET: provider.url, OPENAI_API_KEY: 'sk-secret' }))
    const page = await openPage(t, url)
    const asked = once(provider.requests, 'request') as Promise<[ServerResponse]>
    await ask(page, 'Go on for ever')
    const [answer] = await asked
    await page
      .locator('.answer')
      .filter({ hasText: /(word ){5}/ })
      .waitFor()

    const stopped = once(answer, 'close')
    await stop(page)
    await stopped

    await page.locator('.problem.stopped').filter({ hasText: 'Stopped.' }).waitFor()
    await page.locator('.record').waitFor()
    assert.equal(await shown(page, 'outcome'), 'client disconnect')
    assert.match(await shown(page, 'usage'), /^≈ \d+ out$/)
    assert.ok(await page.getByRole('button', { name: 'Send' }).isVisible())
    assert.ok(!(await page.content()).includes('sk-secret'))
  })
}

test('on a phone, why a provider cannot be reached stands below the prompt, in whole words', inBrowser, async (t) => {
  const url = await runningApp(t, await chooseProvider({ AI_TARGET: await unreachable() }))
  const page = await openPage(t, url, { ...phone, provoked: /^Failed to load resource: .* 502 / })
  await ask(page, 'Hello!')
  await page.locator('.record').waitFor()

  assert.equal(await page.locator('.record').getAttribute('data-tone'), 'bad')
  assert.equal(await shown(page, 'outcome'), 'upstream error')
  assert.equal(await shown(page, 'code'), 'upstream_unreachable')
  assert.match(await shown(page, 'error'), /cannot be reached.*ECONNREFUSED/)
  assert.equal(await linesOf(page.locator('[data-field="code"] dd')), 1)
  await assertFits(page)
  await picture(page, 'chat-phone-unreachable')
})

test('on a phone everything is in reach, and nothing is cut off', inBrowser, async (t) => {
  const page = await openPage(t, await runningApp(t, await chooseProviders({}), { dashboard: true }), phone)
  await page.getByText('Gemini').tap()
  await page.getByRole('button', { name: 'Why do you stream?' }).tap()
  await page.locator('.record').waitFor()
  await assertFits(page)
  await picture(page, 'chat-phone')
  await page.emulateMedia({ colorScheme: 'dark' })
  await picture(page, 'chat-phone-dark')
})

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Prompt', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

function shown(page: Page, field: string): Promise<string> {
  return page.locator(`[data-field="${field}"] dd`).first().innerText()
}
