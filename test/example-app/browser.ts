import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import { findChromium } from '../../example-app/storm/find-chromium.js'
import { beforeAppCloses } from './running-app.js'

const executablePath = findChromium()
const artefacts = path.join(__dirname, 'artefacts')

/** Why the tests in a browser do not run; `false` where they do. */
export const noBrowser = executablePath
  ? false
  : 'no Chromium here, so the pages are NOT tested: install one, or name it in CHROMIUM_PATH'

/** How long a page may take over anything, on a machine that is slow and busy. */
const PATIENCE_MS = 60_000

export const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
export const landscape: BrowserContextOptions = { ...phone, viewport: { width: 844, height: 390 } }
export const dark: BrowserContextOptions = { colorScheme: 'dark' }

let running: Promise<Browser> | undefined

/** A page's own doing that the browser complains of all the same: a refusal that it asked for, a stream that it cut. */
interface Provoked {
  provoked?: RegExp
}

/** A page in a browser profile of its own. The test fails where it complains, or asks anybody but this machine. */
export async function openPage(
  t: TestContext,
  url: string,
  { provoked, ...options }: BrowserContextOptions & Provoked = {},
): Promise<Page> {
  running ??= chromium.launch({
    executablePath,
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
  const browser = await running
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()

  const complaints: string[] = []
  page.on('console', (message) => {
    const isComplaint = ['error', 'warning'].includes(message.type())
    if (isComplaint && !provoked?.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url())
    if (protocol !== 'data:' && hostname !== '127.0.0.1') complaints.push(`asked for ${request.url()}`)
  })
  beforeAppCloses(t, () => context.close())
  t.after(async () => {
    await context.close()
    assert.deepEqual(complaints, [], 'complaints of the page')
  })

  await page.goto(url)
  return page
}

/** To be called when all tests of a file are through. */
export async function closeBrowser(): Promise<void> {
  await (await running)?.close()
}

/** Keeps a picture of the page, to be looked at. */
async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(artefacts, { recursive: true })
  await page.screenshot({ path: path.join(artefacts, `${name}.png`), fullPage: true })
}

/** axe finds no violation, in light and in dark. Keeps a picture of each, to be looked at. */
export async function assertAccessible(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await picture(page, `${name}-${colorScheme}`)
    // Its source is large: once for each page is enough.
    if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<axe.AxeResults> } }).axe.run(),
    )
    const found = violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`,
    )
    assert.deepEqual(found, [], `${name}, ${colorScheme}`)
  }
}

/** Nothing is wider than the screen. */
export async function assertFits(page: Page): Promise<void> {
  const width = await page.locator('html').evaluate((html) => html.scrollWidth)
  const screen = page.viewportSize()?.width ?? 0
  assert.ok(width <= screen, `the page is ${width} px wide, the screen ${screen} px`)
}

/** The same on screens of any width. */
export async function assertFitsAnyScreen(page: Page): Promise<void> {
  const screen = page.viewportSize()!
  for (const width of [320, 383, 384, 844, 959, 960, 1280]) {
    await page.setViewportSize({ ...screen, width })
    await assertFits(page)
  }
  await page.setViewportSize(screen)
}

/** On how many lines an element's text stands. */
export async function linesOf(element: Locator): Promise<number> {
  return element.evaluate((node) => {
    const text = node.ownerDocument.createRange()
    text.selectNodeContents(node)
    return new Set(Array.from(text.getClientRects(), ({ bottom }) => Math.round(bottom))).size
  })
}

/** Nothing stands out of the element that is to hold it. */
export async function assertWithin(inner: Locator, outer: Locator): Promise<void> {
  const [box, bounds] = await Promise.all([inner.boundingBox(), outer.boundingBox()])
  assert.ok(box && bounds)
  const isWithin = box.x >= bounds.x && box.x + box.width <= bounds.x + bounds.width
  assert.ok(isWithin, `${JSON.stringify(box)} stands out of ${JSON.stringify(bounds)}`)
}

/** An element is where its reader sees it: on the screen, and larger than what is there for screen readers alone. */
export async function assertInSight(element: Locator): Promise<void> {
  const box = await element.boundingBox()
  const screen = element.page().viewportSize()
  assert.ok(box && screen)
  const isInSight = box.height > 10 && box.y >= 0 && box.y + box.height <= screen.height
  assert.ok(isInSight, `${JSON.stringify(box)} is not in sight`)
}
