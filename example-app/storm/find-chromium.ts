import { existsSync } from 'node:fs'

const places = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** The Chromium of this machine, or the one in `CHROMIUM_PATH`; `undefined` if there is none. */
export function findChromium(): string | undefined {
  return places.find((place) => place && existsSync(place))
}
