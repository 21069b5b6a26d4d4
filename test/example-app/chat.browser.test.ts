import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { chooseProvider, chooseProviders } from '../../example-app/providers/choose-providers.js'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'
import type { ProviderId } from '../../example-app/providers/provider.js'
import {
  assertAccessible,
  assertFits,
  assertFitsAnyScreen,
  assertInSight,
  assertWithin,
  closeBrowser,
  landscape,
  linesOf,
  noBrowser,
  openPage,
  phone,
} from './browser.js'
import { endlessProvider } from './endless-provider.js'
import { runningApp, unreachable } from './running-app.js'
import { scriptedProvider } from './scripted-provider.js'

after(closeBrowser)
const inBrowser = { skip: noBrowser }

test('the answer to a prompt grows, with figures below it', inBrowser, async (t) => {
  const page = await openPage(t, await runningApp(t, await chooseProviders({}), { dashboard: true }))
  await page.locator('#prompt:focus').waitFor() // from the start, once the page knows its providers
  await page.keyboard.type('Why do you stream?')
  await page.keyboard.press('Enter')

  const answer = page.locator('.answer')
  await answer.filter({ hasText: 'A model writes' }).waitFor()
  const early = await answer.innerText()
  await page.locator('.running').waitFor()
  await answer.filter({ hasText: 'in front of me does.' }).waitFor()
  assert.ok((await answer.innerText()).length > early.length, 'it grew')

  await page.locator('.details').waitFor()
  assert.match(await figure(page, 'usage'), /^5 in · \d+ out tokens/)
  assert.match(await figure(page, 'firstTokenMs'), /first token \d.* m?s/)
  assert.match(await figure(page, 'durationMs'), /\d.* s in all/)
  assert.equal(await page.locator('[data-field="cost"]').count(), 0, 'no price is known')
  assert.equal(await page.locator('#status').innerText(), 'Answer complete.')
  assert.match(await page.locator('#announcer').innerText(), /^A model writes its answer one token after another\./)

  await page.getByRole('button', { name: 'Details' }).click()
  const record = page.locator('dialog[open]')
  assert.equal(await record.locator('[data-field="outcome"] dd').innerText(), 'completed')
  assert.match(await record.locator('pre').textContent().then(String), /"outcome": "completed"/)
})

for (const id of ['openai', 'anthropic', 'gemini'] satisfies ProviderId[]) {
  test(`each format works: ${id}`, inBrowser, async (t) => {
    const providers = await Promise.all(
      (['openai', 'anthropic', 'gemini'] as const).map((id) => startLocalProvider({ id, eventsPerSecond: 300 })),
    )
    const url = await runningApp(t, providers)
    const page = await openPage(t, url, { provoked: /^Failed to load resource: .* 429 / })
    await chooseProtocol(page, providers.find((one) => one.id === id)!.title)
    await ask(page, 'Hello!')
    await page.locator('.details').waitFor()
    assert.match(await page.locator('.answer').innerText(), /^I am the stand-in[\s\S]*into your browser\.$/)
    assert.match(await figure(page, 'usage'), /^\d+ in · [1-9]\d* out tokens/)

    await ask(page, 'Break off in the middle.')
    await page.locator('.problem', { hasText: /reset|broke off/i }).waitFor()
    await page.locator('.details').nth(1).waitFor()
    await ask(page, 'Refuse me.')
    await page.locator('.problem', { hasText: 'You asked to be refused' }).waitFor()
    await page.locator('[data-field="outcome"]', { hasText: 'provider error 429' }).waitFor()
  })
}

const expected = {
  openai: (system: string, temperature: number, maxTokens: number, messages: [string, string][]) => ({
    model: 'model-x',
    stream: true,
    messages: [['system', system], ...messages].map(([role, content]) => ({ role, content })),
    temperature,
    max_completion_tokens: maxTokens,
    stream_options: { include_usage: true },
  }),
  anthropic: (system: string, temperature: number, maxTokens: number, messages: [string, string][]) => ({
    model: 'model-x',
    stream: true,
    max_tokens: maxTokens,
    system,
    messages: messages.map(([role, content]) => ({ role, content })),
    temperature,
  }),
  gemini: (system: string, temperature: number, maxTokens: number, messages: [string, string][]) => ({
    contents: messages.map(([role, text]) => ({ role: role === 'user' ? 'user' : 'model', parts: [{ text }] })),
    systemInstruction: { parts: [{ text: system }] },
    generationConfig: { temperature, maxOutputTokens: maxTokens },
  }),
}
for (const id of ['openai', 'anthropic', 'gemini'] satisfies ProviderId[]) {
  test(`the conversation and the parameters are sent with each request: ${id}`, inBrowser, async (t) => {
    const { provider, next } = await scriptedProvider(t, id)
    const page = await openPage(t, await runningApp(t, provider))
    await page.locator('#open-settings').click()
    await page.getByLabel('Model', { exact: true }).fill('model-x')
    await page.getByLabel('System prompt').fill('Be brief.')
    await page.getByLabel('Temperature').fill('0.5')
    await page.getByLabel('Max tokens').fill('77')
    await page.getByRole('button', { name: 'Done' }).click()

    await ask(page, 'One?')
    const first = await next()
    assert.deepEqual(first.body, expected[id]('Be brief.', 0.5, 77, [['user', 'One?']]))
    if (id === 'gemini') assert.match(first.path, /\/model-x:streamGenerateContent/)
    first.write('Answer ')
    first.write('one.')
    first.end()
    await page.locator('.details').waitFor()

    await ask(page, 'Two?')
    const second = await next()
    const all: [string, string][] = [
      ['user', 'One?'],
      ['assistant', 'Answer one.'],
      ['user', 'Two?'],
    ]
    assert.deepEqual(second.body, expected[id]('Be brief.', 0.5, 77, all))
    second.end()
    await page.locator('.details').nth(1).waitFor()

    await page.getByRole('button', { name: 'New conversation' }).click()
    assert.equal(await page.locator('.turn').count(), 0)
    await ask(page, 'Three?')
    const third = await next()
    assert.deepEqual(third.body, expected[id]('Be brief.', 0.5, 77, [['user', 'Three?']]))
    third.end()
    await page.locator('.details').waitFor()
  })
}

test('the list of models comes from the provider', inBrowser, async (t) => {
  const { provider } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider))
  await page.locator('#open-settings').click()
  await page.locator('#models option').nth(1).waitFor({ state: 'attached' })
  const models = await page.locator('#models option').evaluateAll((all) => all.map((one) => one.getAttribute('value')))
  assert.deepEqual(models, ['model-a', 'model-b'])
})

test('the cost of an answer is shown if its price is known', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const prices = { 'scripted-1': { input: 2, output: 8 } }
  const page = await openPage(t, await runningApp(t, provider, { prices }))
  await ask(page, 'Hi')
  const asked = await next()
  asked.write('Hello.')
  asked.end()
  await page.locator('[data-field="cost"]', { hasText: /^\$0\.0060$/ }).waitFor()
})

test('Markdown is rendered, HTML and scripts are not; code and answers can be copied', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider), { permissions: ['clipboard-read', 'clipboard-write'] })
  await ask(page, 'Hi')
  const asked = await next()
  const code = 'if (a < b) {\n  go()\n}'
  const text = [
    '# Title',
    '**bold** [good](https://example.com/) [bad](javascript:alert(1)) ![pixel](https://example.com/p.png)',
    '[worse](data:text/html,x) [here](/streams/) <javascript:alert(1)> [title](https://example.com/t "\\"><img src=x>")',
    '<img src=x onerror="document.title=1"><script>document.title=1</script>',
    `\`\`\`js\n${code}\n\`\`\``,
    '| a | b |\n| - | - |\n| 1 | 2 |',
  ].join('\n\n')
  for (let at = 0; at < text.length; at += 3) asked.write(text.slice(at, at + 3))
  asked.end()
  await page.locator('.details').waitFor()

  const answer = page.locator('.answer')
  assert.equal(await answer.locator('strong').innerText(), 'bold')
  assert.equal(await answer.locator('td').count(), 2)
  assert.equal(await answer.locator('img, script').count(), 0)
  assert.match(await answer.innerText(), /<img src=x onerror="document.title=1"><script>/)
  const links = await answer.locator('a').evaluateAll((all) => all.map((one) => one.getAttribute('href')))
  assert.deepEqual(links, ['https://example.com/', 'https://example.com/p.png', 'https://example.com/t'])
  assert.match(await answer.innerText(), /good bad pixel/, 'what leads nowhere is text')

  await answer.getByRole('button', { name: 'Copy' }).click()
  await answer.getByRole('button', { name: 'Copied' }).waitFor()
  assert.equal(await clipboard(page), `${code}\n`)
  await page.locator('.foot').getByRole('button', { name: 'Copy' }).click()
  await page.locator('.foot').getByRole('button', { name: 'Copied' }).waitFor()
  assert.equal(await clipboard(page), text)
})

for (const [how, block] of Object.entries({
  "by the clipboard's API": '',
  'without it': 'navigator.clipboard.writeText = () => Promise.reject(new Error())',
})) {
  test(`Copy keeps the focus, and says that it copied, everywhere: ${how}`, inBrowser, async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const permissions = ['clipboard-read', 'clipboard-write']
    const page = await openPage(t, await runningApp(t, provider), { permissions })
    await page.evaluate(block)
    await ask(page, 'Hi')
    const asked = await next()
    asked.write('Code:\n\n```js\ngo()\n```\n')
    asked.end()
    await page.locator('.details').waitFor()
    for (const [place, copied] of [
      ['.answer', /^go\(\)\n$/],
      ['.actions', /^Code:/],
      ['dialog[open] details', /"outcome": "completed"/],
    ] as const) {
      if (place.startsWith('dialog')) {
        await page.getByRole('button', { name: 'Details' }).click()
        await page.getByText('The record as JSON').click()
      }
      await page.locator(place).getByRole('button', { name: 'Copy' }).focus()
      await page.keyboard.press('Enter')
      await page.locator(`${place} button:focus`, { hasText: /^Copied$/ }).waitFor()
      await page.locator(place).getByRole('status').filter({ hasText: 'Copied.' }).waitFor({ state: 'attached' })
      // Once more while the button still says "Copied": it has its own label again afterwards.
      await page.keyboard.press('Enter')
      assert.match(await clipboard(page), copied)
      await page.locator(`${place} button:focus`, { hasText: /^Copy(?: JSON)?$/ }).waitFor()
    }
  })
}

test(
  'tables keep their alignment, lists their first number, and code of any language its button',
  inBrowser,
  async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const page = await openPage(t, await runningApp(t, provider))
    await ask(page, 'Hi')
    const asked = await next()
    asked.write('| a | b | c |\n| - | :-: | -: |\n| 1 | 2 | 3 |\n\n3. three\n4. four\n\n')
    asked.write('```\nno language\n```\n\n```js\ngo()\n```\n')
    asked.end()
    await page.locator('.details').waitFor()

    const answer = page.locator('.answer')
    const aligned = await page.evaluate(
      'Array.from(document.querySelectorAll(".answer td"), (it) => getComputedStyle(it).textAlign)',
    )
    assert.deepEqual(aligned, ['start', 'center', 'right'])
    assert.equal(await answer.locator('ol').getAttribute('start'), '3')
    const right = '(it) => it.getBoundingClientRect().right'
    const distances = (await page.evaluate(`
      Array.from(document.querySelectorAll('.copy-code'), (it) => (${right})(it.closest('figure')) - (${right})(it))
    `)) as number[]
    assert.equal(distances.length, 2)
    for (const distance of distances) assert.ok(distance < 10, `the button is ${distance} px from the end`)
    await assertAccessible(page, 'chat-desktop-blocks')
  },
)

test(
  'rendering during the stream costs O(n), and ends with the same result as rendering at once',
  inBrowser,
  async (t) => {
    const page = await openPage(t, await runningApp(t, await startLocalProvider()))
    await page.locator('#prompt').waitFor()
    const documents = {
      paragraph: 'word **bold** `code` '.repeat(4000),
      code: `\`\`\`js\n${'const a = 1 < 2\n'.repeat(5000)}\`\`\`\n\nThe end.`,
      table: `| a | b |\n| - | - |\n${'| one | two |\n'.repeat(3000)}`,
      blocks: '## Title\n\nText with a [link][1].\n\n1. one\n\n2. two\n   - inner\n\n> quote\n\n'.repeat(500),
      linked: 'See [this][x].\n\nMore.\n\n- a\n- b\n\n[x]: https://example.com/\n',
    }
    const results = await page.evaluate(async (documents) => {
      const file = '/chat/markdown.mjs'
      const { StreamedMarkdown } = await import(file)
      const { document } = globalThis as unknown as { document: { createElement(name: string): { innerHTML: string } } }
      return Object.entries(documents).map(([name, text]) => {
        const rendered = [40, text.length].map((size) => {
          const place = document.createElement('div')
          const markdown = new StreamedMarkdown(place)
          for (let at = 0; at < text.length; at += size) {
            markdown.append(text.slice(at, at + size))
            markdown.flush()
          }
          markdown.finish()
          return { html: place.innerHTML, share: markdown.parsed / text.length }
        })
        return { name, share: rendered[0]!.share, isSame: rendered[0]!.html === rendered[1]!.html }
      })
    }, documents)
    for (const { name, share, isSame } of results) {
      assert.ok(isSame, name)
      // Each frame of 40 characters parses the open block, up to 2 KB of it; a long one 16 times again at most.
      assert.ok(share < 50, `${name}: each character was parsed ${share} times`)
    }
  },
)

for (const [how, stop] of Object.entries({
  'the button': (page: Page) => page.getByRole('button', { name: 'Stop' }).click(),
  'the key': (page: Page) => page.keyboard.press('Escape'),
})) {
  test(`Stop ends the request to the provider, by ${how}`, inBrowser, async (t) => {
    const provider = await endlessProvider(t)
    const url = await runningApp(t, await chooseProvider({ AI_TARGET: provider.url, OPENAI_API_KEY: 'sk-secret' }))
    const page = await openPage(t, url)
    const asked = once(provider.requests, 'request') as Promise<[ServerResponse]>
    await ask(page, 'Go on for ever')
    const [answer] = await asked
    await page.locator('.answer', { hasText: /(word ){5}/ }).waitFor()

    const stopped = once(answer, 'close')
    await stop(page)
    await stopped

    await page.locator('.problem[data-tone="warn"]', { hasText: 'Stopped.' }).waitFor()
    await page.locator('.details').waitFor()
    assert.match(await figure(page, 'usage'), /^≈ \d+ out tokens/)
    assert.ok(await page.getByRole('button', { name: 'Send' }).isVisible())
    assert.ok(!(await page.content()).includes('sk-secret'))
  })
}

test('text runs in the direction of its script, code from left to right', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider))
  await ask(page, 'مرحبا')
  const asked = await next()
  asked.write(
    'مرحبا بالعالم!\n\n- عنصر أول\n\nEnglish.\n\n> اقتباس\n\n| عمود |\n|--|\n| قيمة |\n\n```js\n"مرحبا"\n```\n',
  )
  asked.end()
  await page.locator('.details').waitFor()
  const directions = await page
    .locator(':is(.prompt, .answer > *, .answer table)')
    .evaluateAll((all) => all.map((one) => [one.localName, one.computedStyleMap().get('direction')?.toString()]))
  const [rtl, ltr] = ['rtl', 'ltr']
  assert.deepEqual(directions, [
    ...[
      ['h2', rtl],
      ['p', rtl],
      ['ul', rtl],
      ['p', ltr],
      ['blockquote', rtl],
      ['div', ltr],
      ['table', rtl],
    ],
    ['figure', ltr],
  ])
})

test('what is nested deeply fits on a phone', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider), phone)
  await ask(page, 'Hi')
  const asked = await next()
  asked.write(`${'> '.repeat(30)}deep\n\n`)
  for (let level = 0; level < 25; level++) asked.write(`${'  '.repeat(level)}- level ${level}\n`)
  asked.end()
  await page.locator('.details').waitFor()
  await assertFits(page)
  await assertAccessible(page, 'chat-phone-nested')
})

test('what cannot be read is a failure of the provider, and the rest of its answer is shown', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider), { provoked: /status of 5/ })
  const problem = page.locator('.turn').last().locator('.problem')
  const unreadable = 'The provider sent an event that cannot be read.'
  for (const data of ['{oops', 'null', '{"choices":[{"delta":{"content":{}}}]}', '{"choices":{"0":null},"error":{}}']) {
    await ask(page, 'Hi')
    const asked = await next()
    asked.write('Before, ')
    asked.send(data)
    asked.write('after.')
    asked.end()
    await page.locator('.turn').last().locator('.details').waitFor()
    assert.equal(await page.locator('.turn').last().locator('.answer').innerText(), 'Before, after.')
    if (!data.includes('error')) assert.equal(await problem.innerText(), unreadable)
  }

  for (const [status, body, said] of [
    [200, '{"choices":[]}', /^The provider did not answer with a stream, but with application\/json\.$/],
    [500, '{"error":{"code":7}}', /^500 Internal Server Error: no reason was given\. \(7\)$/],
    [500, 'null', /^500 Internal Server Error: null$/],
    [500, '{"error":{"message":"M","details":"D"}}', /^500 Internal Server Error: M$/],
    [500, `{"error":{"message":"${'long '.repeat(1000)}"}}`, /^500 Internal Server Error: (?:long ){100}…$/],
  ] as const) {
    await ask(page, 'Hi')
    const asked = await next()
    asked.json(status, body)
    await page.locator('.turn').last().locator('.details').waitFor()
    assert.match(await problem.innerText(), said)
  }
})

test('a key that belongs to an input method neither sends nor stops', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider))
  const field = page.getByLabel('Your prompt')
  const press = (key: object) => field.dispatchEvent('keydown', { bubbles: true, cancelable: true, ...key })
  await field.fill('nihon')
  await press({ key: 'Enter', isComposing: true })
  await press({ key: 'Enter', keyCode: 229 })
  assert.equal(await page.locator('.turn').count(), 0)
  await field.press('Enter')
  const asked = await next()
  asked.write('One ')
  await page.locator('.answer', { hasText: 'One' }).waitFor()
  await press({ key: 'Escape', isComposing: true })
  await press({ key: 'Escape', keyCode: 229 })
  asked.write('two.')
  asked.end()
  await page.locator('.details').waitFor()
  assert.equal(await page.locator('.answer').innerText(), 'One two.')
})

test('an answer without text says so, and shows no figure that is not known', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t, 'anthropic')
  const page = await openPage(t, await runningApp(t, provider))
  await ask(page, 'Hi')
  ;(await next()).end()
  await page.locator('.details').waitFor()
  await page.locator('.problem[data-tone="warn"]', { hasText: 'The answer is empty.' }).waitFor()
  assert.equal(await page.locator('#status').innerText(), 'The answer is empty.')
  const figures = await page.locator('.figures li').allInnerTexts()
  assert.equal(figures.length, 2, String(figures))
  assert.match(String(figures), /^scripted-1,[\d.]+ m?s in all$/)
  await assertAccessible(page, 'chat-desktop-no-text')
  await page.reload()
  await page.locator('.problem', { hasText: 'The answer is empty.' }).waitFor()
})

test('a failed prompt can be retried, and its turn then has the answer', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider), { provoked: /^Failed to load resource: .* 503 / })
  await ask(page, 'Hi')
  ;(await next()).refuse(503)
  await page.locator('.problem', { hasText: 'Not now.' }).waitFor()
  await page.getByRole('button', { name: 'Retry' }).click()
  const again = await next()
  assert.deepEqual(again.body.messages, [{ role: 'user', content: 'Hi' }])
  again.write('Now.')
  again.end()
  await page.locator('.answer', { hasText: 'Now.' }).waitFor()
  await page.locator('.details').waitFor()
  assert.equal(await page.locator('.turn').count(), 1)
  assert.equal(await page.locator('.problem').isVisible(), false)
})

test('a retry is not given the record of the try before, however late that comes', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider), { provoked: /^Failed to load resource: .* 503 / })
  const late: (() => Promise<void>)[] = []
  await page.route('**/records/*', (route) => {
    if (late.length > 0) return route.continue()
    late.push(() => route.continue())
    return undefined
  })
  await ask(page, 'Hi')
  ;(await next()).refuse(503)
  await page.locator('.problem', { hasText: 'Not now.' }).waitFor()
  await page.getByRole('button', { name: 'Retry' }).click()
  const again = await next()
  again.write('Now.')
  again.end()
  await page.locator('.details').waitFor()
  const answered = page.waitForResponse('**/account')
  await late[0]!()
  await answered // the page asks for it once it has the record
  await page.evaluate('new Promise(requestAnimationFrame)')
  assert.equal(await page.locator('[data-field="outcome"]').count(), 0)
  assert.match(await page.locator('[data-field="usage"]').innerText(), /^1,000 in · 500 out tokens$/)
  await page.locator('.details').click()
  assert.equal(await page.locator('dialog [data-field="status"] dd').innerText(), '200')
})

test('a page that cannot reach the app says so, keeps the draft, and begins once it can', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const url = await runningApp(t, provider)
  const page = await openPage(t, 'about:blank', { provoked: /ERR_FAILED/ })
  for (const path of ['settings', 'account']) await page.route(`**/${path}`, (route) => route.abort())
  await page.goto(url)
  const alert = page.locator('#start-problem')
  await alert.filter({ hasText: 'The app cannot be reached. Is it still running? Trying again…' }).waitFor()
  await page.getByLabel('Your prompt').fill('A draft')
  const send = page.getByRole('button', { name: 'Send' })
  assert.equal(await send.isEnabled(), false)
  await assertAccessible(page, 'chat-desktop-unreachable')
  for (const path of ['account', 'settings']) await page.unroute(`**/${path}`)
  await page.locator('#chosen', { hasText: 'scripted-1' }).waitFor()
  assert.equal(await alert.isVisible(), false)
  await page.getByRole('group', { name: 'Signed in as' }).waitFor()
  await send.click()
  const asked = await next()
  assert.deepEqual(asked.body.messages, [{ role: 'user', content: 'A draft' }])
  asked.end()
  await page.locator('.details').waitFor()
})

for (const [name, options] of Object.entries({ desktop: {}, phone })) {
  test(`long names and words break, and nothing is wider than the screen: ${name}`, inBrowser, async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const long = 'model-'.repeat(30) + 'm'.repeat(120)
    const url = await runningApp(t, { ...provider, model: long }, { dashboard: true })
    const page = await openPage(t, url, options)
    await ask(page, 'x'.repeat(300))
    const asked = await next()
    asked.write(`${'w'.repeat(300)}\n\n\`\`\`${'language'.repeat(30)}\n${'c'.repeat(300)}\n\`\`\`\n\n`)
    asked.write(`| a |\n| - |\n| ${'t'.repeat(300)} |\n`)
    asked.end()
    await page.locator('.details').waitFor()
    await assertFitsAnyScreen(page)
    assert.equal(await linesOf(page.locator('.copy-code')), 1)
    await assertAccessible(page, `chat-${name}-long`)
    await page.locator('.details').click()
    await assertWithin(page.locator('dialog[open] .close'), page.locator('dialog[open]'))
    for (const path of ['streams', 'usage']) {
      await page.goto(`${url}/${path}/`)
      const cell = page.locator('.listing td[data-column="model"]')
      await cell.waitFor()
      await assertFitsAnyScreen(page)
      await assertWithin(cell, page.locator('.listing'))
      await assertAccessible(page, `${path}-${name}-long`)
    }
    await page.goto(`${url}/storm/`)
    await assertFitsAnyScreen(page)
  })
}

test(
  'an unreachable server loses no prompt, and a reload loses no draft, settings or conversation',
  inBrowser,
  async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const page = await openPage(t, await runningApp(t, provider), { provoked: /ERR_INTERNET_DISCONNECTED/ })
    await page.locator('#chosen', { hasText: 'scripted-1' }).waitFor()
    await page.context().setOffline(true)
    await ask(page, 'A long and careful prompt')
    await page.locator('.problem', { hasText: 'The app cannot be reached' }).waitFor()
    await page.context().setOffline(false)

    await page.locator('#open-settings').click()
    await page.getByLabel('System prompt').fill('Be kind.')
    await page.getByRole('button', { name: 'Done' }).click()
    await page.locator('#prompt').fill('A draft')
    await page.reload()
    await page.locator('.turn').waitFor()
    assert.equal(await page.locator('#prompt').inputValue(), 'A draft')
    assert.equal(await page.locator('.prompt').innerText(), 'A long and careful prompt')

    await page.getByRole('button', { name: 'Retry' }).click()
    const asked = await next()
    assert.deepEqual(asked.body.messages, [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'A long and careful prompt' },
    ])
    await page.reload()
    await page.locator('.problem', { hasText: 'closed or reloaded before the answer began' }).waitFor()
    await asked.gone
  },
)

test('the page follows the answer, unless the reader has scrolled up', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider))
  await ask(page, 'Hi')
  const asked = await next()
  const fromEnd = () =>
    page.evaluate('document.scrollingElement.scrollHeight - scrollY - innerHeight') as Promise<number>
  asked.write('A line of text.\n\n'.repeat(80))
  asked.write('MARK ONE\n\n')
  await page.locator('.answer', { hasText: 'MARK ONE' }).waitFor()
  await page.waitForFunction(isAtEnd)

  await page.mouse.move(500, 300)
  await page.mouse.wheel(0, -600)
  const toEnd = page.getByRole('button', { name: 'To the end' })
  await toEnd.waitFor()
  const before = await page.evaluate('scrollY')
  asked.write('A line of text.\n\n'.repeat(20))
  asked.write('MARK TWO\n\n')
  await page.locator('.answer', { hasText: 'MARK TWO' }).waitFor()
  assert.equal(await page.evaluate('scrollY'), before)
  assert.ok((await fromEnd()) > 500)

  await toEnd.click()
  await page.waitForFunction(isAtEnd)
  assert.equal(await toEnd.isVisible(), false)
  asked.write('A line of text.\n\n'.repeat(20))
  asked.write('MARK THREE')
  asked.end()
  await page.locator('.details').waitFor()
  await page.waitForFunction(isAtEnd)
})

test('the end stays in sight if the answer, the draft or the window changes its size', inBrowser, async (t) => {
  const { provider, next } = await scriptedProvider(t)
  const page = await openPage(t, await runningApp(t, provider))
  await ask(page, 'Hi')
  const asked = await next()
  asked.write('A line of text.\n\n'.repeat(40))
  asked.end()
  await page.locator('.details').waitFor()
  await page.waitForFunction(isAtEnd)

  // The browser tells of its last scroll before it lays out what has been added since.
  await page.locator('.answer').evaluate((answer) => {
    const added = answer.ownerDocument.createElement('p')
    added.append('x\n'.repeat(1000))
    answer.append(added)
    answer.ownerDocument.defaultView?.dispatchEvent(new Event('scroll'))
  })
  await page.waitForFunction(isAtEnd)
  assert.equal(await page.getByRole('button', { name: 'To the end' }).isVisible(), false)

  await page.getByLabel('Your prompt').fill('A line\n'.repeat(6))
  await page.waitForFunction(isAtEnd)
  await assertInSight(page.locator('.details'))
  await page.setViewportSize({ width: 1100, height: 500 })
  await page.waitForFunction(isAtEnd)
  await assertInSight(page.locator('.details'))
})

for (const [name, options] of Object.entries({ desktop: {}, phone })) {
  test(`a retry of an earlier turn keeps its answer in sight, and is the only one: ${name}`, inBrowser, async (t) => {
    const { provider, next } = await scriptedProvider(t)
    const page = await openPage(t, await runningApp(t, provider), options)
    const details = page.locator('.details')
    for (const turn of [1, 2, 3]) {
      await ask(page, `Question ${turn}`)
      const asked = await next()
      asked.write('A line of text.\n\n'.repeat(40))
      asked.end()
      await details.nth(turn - 1).waitFor()
    }
    const first = page.locator('.turn').first()
    const retries = page.locator('.retry')
    await first.getByRole('button', { name: 'Retry' }).click()
    const again = await next()
    assert.deepEqual(await retries.evaluateAll((all) => all.map((one) => one.matches(':disabled'))), [true, true, true])

    // It grows beyond the screen.
    for (const piece of ['one', 'two', 'three']) {
      again.write('Another line.\n\n'.repeat(20))
      again.write(`END ${piece}\n\n`)
      const end = first.locator('p', { hasText: `END ${piece}` })
      await end.waitFor()
      await end.evaluate(nextFrame)
      await assertInSight(end)
      assert.equal(await page.getByRole('button', { name: 'To the end' }).isVisible(), true)
    }
    await assertAccessible(page, `chat-${name}-retried`)

    // Who scrolls away stays there.
    await first.evaluate((turn) => turn.scrollIntoView({ block: 'start' }))
    await first.evaluate(nextFrame)
    const before = await page.evaluate('scrollY')
    again.write('Another line.\n\n'.repeat(20))
    again.write('END four')
    again.end()
    await first.locator('.details').waitFor()
    assert.equal(await page.evaluate('scrollY'), before)
    assert.equal(await page.locator('.retry:disabled').count(), 0)
    await page.getByRole('button', { name: 'To the end' }).click()
    await page.waitForFunction(isAtEnd)
  })
}

test(
  'on a phone, the reason why a provider is unreachable is shown below the prompt, unbroken',
  inBrowser,
  async (t) => {
    const url = await runningApp(t, await chooseProvider({ AI_TARGET: await unreachable() }))
    const page = await openPage(t, url, { ...phone, provoked: /^Failed to load resource: .* 502 / })
    await ask(page, 'Hello!')
    await page.locator('.details').waitFor()
    assert.match(await page.locator('.problem').innerText(), /cannot be reached.*ECONNREFUSED/)
    assert.match(await figure(page, 'outcome'), /^upstream unreachable/)
    assert.equal(await linesOf(page.locator('[data-field="outcome"]')), 1)
    await assertFits(page)
    await assertAccessible(page, 'chat-phone-unreachable')
  },
)

for (const [name, { most, ...options }] of Object.entries({
  desktop: { most: 0.2 },
  phone: { ...phone, most: 0.15 },
  landscape: { ...landscape, most: 0.2 },
})) {
  test(
    `axe finds no violation in any state of the chat, and the answer has most of the screen: ${name}`,
    inBrowser,
    async (t) => {
      const { provider, next } = await scriptedProvider(t)
      const page = await openPage(
        t,
        await runningApp(t, [provider, await startLocalProvider({ id: 'gemini' })]),
        options,
      )
      await page.locator('#chosen', { hasText: 'scripted-1' }).waitFor()
      await assertAccessible(page, `chat-${name}-empty`)
      await ask(page, 'Show me some code.')
      const asked = await next()
      asked.write('# Code\n\nSome `inline` and a [link](https://example.com/):\n\n```js\nconst line = 1\n```\n\n')
      asked.write('| a | b |\n| - | - |\n| 1 | 2 |\n\nAnd')
      await page.locator('.answer p', { hasText: /^And$/ }).waitFor()
      await assertAccessible(page, `chat-${name}-streaming`)
      asked.end()
      await page.locator('.details').waitFor()
      await assertFits(page)
      await assertAccessible(page, `chat-${name}-finished`)
      const composer = await page.locator('#composer').boundingBox()
      assert.ok(composer!.height <= page.viewportSize()!.height * most, `the composer is ${composer?.height} px high`)

      await page.locator('.details').click()
      await assertAccessible(page, `chat-${name}-record`)
      await page.keyboard.press('Escape')
      await page.locator('#open-settings').click()
      await assertAccessible(page, `chat-${name}-settings`)
    },
  )
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Your prompt').fill(text)
  await page.getByLabel('Your prompt').press('Enter')
}

async function chooseProtocol(page: Page, title: string): Promise<void> {
  await page.locator('#open-settings').click()
  await page.getByRole('radio', { name: title }).check()
  await page.getByRole('button', { name: 'Done' }).click()
}

function figure(page: Page, field: string): Promise<string> {
  return page.locator(`.figures [data-field="${field}"]`).first().innerText()
}

function clipboard(page: Page): Promise<string> {
  return page.evaluate('navigator.clipboard.readText()') as Promise<string>
}

/** Resolves after what has changed is laid out, and the page has had its chance to scroll. */
function nextFrame(): Promise<void> {
  const { requestAnimationFrame } = globalThis as unknown as { requestAnimationFrame(act: () => void): void }
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())))
}

/** Whether the end of the page is in sight. A function, since the page's policy forbids to evaluate a text again and again. */
function isAtEnd(): boolean {
  const { document, scrollY, innerHeight } = globalThis as unknown as {
    document: { scrollingElement: { scrollHeight: number } }
    scrollY: number
    innerHeight: number
  }
  return document.scrollingElement.scrollHeight - scrollY - innerHeight < 2
}
