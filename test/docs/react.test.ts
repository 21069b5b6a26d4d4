import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { build } from 'esbuild'
import express from 'express'
import { type Browser, chromium, type Page } from 'playwright-core'
import { findChromium } from '../../example-app/storm/find-chromium.js'
import { type AiProxy, aiProxy } from '../../lib/index.js'
import { type Call, listen, type Owner, type Provider, startProvider } from '../e2e/support/provider.js'
import { type Block, pages } from './pages.js'
import { makeWorkshop } from './workshop.js'

const executablePath = findChromium()
const skip = executablePath ? false : 'Chromium is not installed'

const find = (file: string, begin: string): Block =>
  pages.find((page) => page.file === file)?.blocks.find(({ code }) => code.startsWith(begin)) ?? assert.fail(begin)

const entry = `
import { StrictMode, createElement, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Chat } from './chat'

function App() {
  const [shows, setShows] = useState(true)
  const leave = createElement('button', { onClick: () => setShows(false) }, 'Leave')
  return createElement(StrictMode, null, shows && createElement(Chat), leave)
}
createRoot(document.getElementById('root')!).render(createElement(App))
`
const html =
  '<!doctype html><title>A chat</title><link rel="icon" href="data:,"><div id="root"></div><script src="app.js"></script>'

const chunk = (content: string, reason: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: reason }] })}\n\n`

describe('the React component of docs/recipes/browser.md', { skip }, () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  const complaints: string[] = []
  let provider: Provider
  let browser: Browser
  let url: string
  let answer: (call: Call) => unknown
  let page: Page

  before(async () => {
    const { folder, remove } = makeWorkshop()
    cleaning.push(remove)
    const files = {
      'ask.ts': find('README.md', '// ask.ts').code,
      'chat.tsx': find('docs/recipes/browser.md', '// chat.tsx').code,
      'entry.ts': entry,
    }
    for (const [name, code] of Object.entries(files)) writeFileSync(path.join(folder, name), code)
    const { outputFiles } = await build({
      entryPoints: [path.join(folder, 'entry.ts')],
      ...{ bundle: true, write: false, format: 'iife', jsx: 'automatic', logLevel: 'silent' },
    })
    provider = await startProvider(owner, { onCall: (call) => answer(call) })
    const ai: AiProxy = aiProxy({ target: provider.url })
    cleaning.unshift(() => ai.close({ graceMs: 0 }))
    const app = express().use('/ai', ai)
    app.get('/app.js', (_req, res) => void res.type('js').send(outputFiles![0]!.text))
    app.get('/', (_req, res) => void res.send(html))
    url = `http://127.0.0.1:${await listen(owner, http.createServer(app))}/`
    browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
    cleaning.unshift(() => browser.close())
  })
  beforeEach(async () => {
    complaints.length = 0
    page = await browser.newPage()
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(url)
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  const button = (name: string) => page.getByRole('button', { name })
  const shows = (text: string) => page.locator('output', { hasText: text }).waitFor()
  async function ask(): Promise<void> {
    await page.getByLabel('Question').fill('Hi')
    await button('Ask').click()
  }

  test('shows the answer as it arrives', async () => {
    let finish = () => {}
    answer = (call) => {
      call.sse([chunk('Hello')])
      finish = () => call.send(chunk(' you')).send(chunk('', 'stop')).end('data: [DONE]\n\n')
    }
    await ask()
    await shows('Hello')
    assert.equal(await button('Ask').isDisabled(), true)
    finish()
    await shows('Hello you')
    await page.locator('button:enabled', { hasText: 'Ask' }).waitFor()
    assert.match(await provider.calls.at(-1)!.text, /"content":"Hi"/)
    assert.deepEqual(complaints, [])
  })

  test('Stop stops the provider, keeps what was shown, and is no error', async () => {
    answer = (call) => call.sse([chunk('Hello')])
    await ask()
    await shows('Hello')
    await button('Stop').click()
    await provider.calls.at(-1)!.gone
    await page.locator('button:enabled', { hasText: 'Ask' }).waitFor()
    await shows('Hello')
    assert.equal(await page.getByRole('alert').count(), 0)
    assert.deepEqual(complaints, [])
  })

  test('a component that is removed stops the provider', async () => {
    answer = (call) => call.sse([chunk('Hello')])
    await ask()
    await shows('Hello')
    await button('Leave').click()
    await provider.calls.at(-1)!.gone
    assert.deepEqual(complaints, [])
  })

  test('a failure is shown', async () => {
    answer = (call) => void call.text.then(() => call.json(429, { error: { message: 'Too often' } }))
    await ask()
    await page.getByRole('alert').filter({ hasText: 'Too often' }).waitFor()
  })
})
