// Runs the tests with Node's own runner and closes with one line that counts them.
//   node .ci/run-tests.mjs [files…]         default: every *.test.ts below test/
//   node .ci/run-tests.mjs --product       of these, without what does not depend on the versions of Node and packages
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The layout, the package's contents, the mutations' texts, and the example app's pages are the same everywhere. */
const SAME_EVERYWHERE = /^test[/\\](?:layout|package|mutation|example-app[/\\].*(?:browser|storm))/

const [mode] = process.argv.slice(2)
const files = mode === '--product' ? [] : process.argv.slice(2)
if (files.length === 0) files.push(...testsBelow('test'))
if (mode === '--product') files.splice(0, files.length, ...files.filter((file) => !SAME_EVERYWHERE.test(file)))

const runner = spawn(process.execPath, ['--import', 'tsx', '--test', '--test-reporter=spec', ...files], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 }
createInterface({ input: runner.stdout }).on('line', (line) => {
  console.log(line)
  const [, word, count] = /^ℹ (pass|fail|cancelled|skipped) (\d+)$/.exec(line) ?? []
  if (word) counts[word] = Number(count)
})
runner.on('close', (code) => {
  const { pass, fail, cancelled, skipped } = counts
  console.log(`\n${pass} passed, ${fail + cancelled} failed${skipped ? `, ${skipped} skipped` : ''}`)
  process.exitCode = code || (pass === 0 ? 1 : 0)
})

function testsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testsBelow(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}
