// Runs the tests with Node's own runner and closes with one line that counts them.
//   node .ci/run-tests.mjs [files…]   default: every *.test.ts below test/
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const files = process.argv.slice(2)
if (files.length === 0) files.push(...testsBelow('test'))

const runner = spawn(process.execPath, ['--import', 'tsx', '--test', '--test-reporter=spec', ...files], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let tail = ''
runner.stdout.on('data', (chunk) => {
  process.stdout.write(chunk)
  tail = (tail + chunk).slice(-2000)
})
runner.on('close', (code) => {
  const [passed, failed, skipped] = ['pass', 'fail', 'skipped'].map((word) => Number(count(word)))
  console.log(`\n${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
  process.exitCode = code || (passed === 0 ? 1 : 0)
})

function count(word) {
  return new RegExp(`ℹ ${word} (\\d+)`).exec(tail)?.[1] ?? 0
}

function testsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testsBelow(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}
