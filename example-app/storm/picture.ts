/** Takes the picture of the Storm page for the README: `npm run picture`. Needs Chromium, and a machine that is idle. */
import { once } from 'node:events'
import { mkdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import express from 'express'
import { chromium } from 'playwright-core'
import { sameOriginOrNavigation } from '../http/same-origin.js'
import { vendorRoutes } from '../http/vendor.js'
import { findChromium } from './find-chromium.js'
import { stormRoutes } from './index.js'

const WIDTH = 1200
const MARGIN = 16
const file = path.join(__dirname, '../../docs/images/storm.png')
const pages = path.join(__dirname, '../pages')

async function main() {
  const executablePath = findChromium()
  if (!executablePath) throw new Error('No Chromium was found. Install one, or set CHROMIUM_PATH.')

  const app = express()
  app.use('/vendor', vendorRoutes())
  app.use(sameOriginOrNavigation, express.static(pages))
  app.use('/storm', stormRoutes())
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] })
  try {
    const page = await browser.newPage({ viewport: { width: WIDTH, height: 900 }, colorScheme: 'light' })
    await page.goto(`http://127.0.0.1:${port}/storm/`)
    await page.getByRole('button', { name: 'Burst' }).click()
    const status = page.locator('#status', { hasText: /^Done|failed/ })
    await status.waitFor({ timeout: 120_000 })
    console.log((await page.locator('.headline').allInnerTexts()).join('\n'))

    await mkdir(path.dirname(file), { recursive: true })
    await page.mouse.move(0, 0)
    const results = await page.locator('#results').boundingBox()
    if (!results) throw new Error('The page shows no results.')
    const clip = { x: 0, y: results.y - MARGIN, width: WIDTH, height: results.height + 2 * MARGIN }
    await page.screenshot({ path: file, clip, fullPage: true })
    console.log(`${path.relative('', file)}: ${Math.round((await stat(file)).size / 1024)} KiB`)
  } finally {
    await browser.close()
    server.close()
    server.closeAllConnections()
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
