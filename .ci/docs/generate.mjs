// Writes what the documentation takes from elsewhere: docs/api.md from the docstrings, and in every page the benchmark's figures
// and the repository's address. With --check, only says what is out of date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withAddresses } from './addresses.mjs'
import { apiReference } from './api.mjs'
import { withFigures } from './figures.mjs'

const root = join(import.meta.dirname, '../..')
const read = (file) => readFileSync(join(root, file), 'utf8').replaceAll('\r\n', '\n')

try {
  const stale = (await generated()).filter(([file, text]) => text !== read(file))
  if (!process.argv.includes('--check')) {
    for (const [file, text] of stale) writeFileSync(join(root, file), text)
  } else if (stale.length > 0) {
    const files = stale.map(([file]) => file).join(', ')
    console.error(`Out of date: ${files}. Run \`npm run docs\`, and commit what it writes.`)
    process.exitCode = 1
  }
} catch (error) {
  console.error(`The documentation cannot be generated: ${error.message}`)
  process.exitCode = 1
}

/** Every generated or partly generated file, with what it should say. */
async function generated() {
  const manifest = JSON.parse(read('package.json'))
  const bench = { ranges: JSON.parse(read('bench/ranges.json')), results: JSON.parse(read('bench/results.json')) }
  const pages = pagesBelow('docs').filter((page) => page !== 'docs/api.md')
  const written = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...pages].map((page) => {
    try {
      return [page, withAddresses(withFigures(read(page), bench), manifest)]
    } catch (error) {
      throw new Error(`${page}: ${error.message}`)
    }
  })
  return [...written, ['docs/api.md', await apiReference()]]
}

function pagesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return pagesBelow(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}
