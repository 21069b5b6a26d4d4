// Runs the tests with Node's own runner and closes with one line that counts them.
//   node .ci/run-tests.mjs [files…]         default: every *.test.ts below test/
//   node .ci/run-tests.mjs --product       of these, without what does not depend on the versions of Node and packages
//   node .ci/run-tests.mjs --runtime       of those, without pure code and the docs: for a further line of Node
//   node .ci/run-tests.mjs --express       of those, without what does not touch Express: for another version of Express alone
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The layout, the package's contents, the mutations' texts, the docs' own checks, and the example app's pages are the same everywhere. */
const SAME_EVERYWHERE = [
  /^test[/\\](?:layout|package|mutation|bench|example-app[/\\].*(?:browser|storm))/,
  /^test[/\\]docs[/\\](?:completeness|dashboard|defaults|figures|front-end|links|names|react|readme|types)\./,
  /any-script\.property/,
]
/** What is tested here never sees Express. */
const WITHOUT_EXPRESS = [
  /^test[/\\](?:api|exchange|formats|framing|json|metering|metrics|options|routing|scheduling|soak|upstream|util)[/\\]/,
  /^test[/\\]request[/\\]/,
]

/** What is pure, and the programs of the docs, run on two lines of Node already. */
const SAME_ON_EACH_NODE = [/^test[/\\](?:docs|formats|framing|json|metering|options|pricing|routing|setups)[/\\]/]

/** They start browsers or several processes of their own, or measure: one at a time, after all others. */
const ONE_AT_A_TIME = /^test[/\\](?:bench|clients?[/\\]browser|example-app|package|setups)|leaks\.test|docs[/\\]react/

const MODES = {
  '--product': SAME_EVERYWHERE,
  '--runtime': [...SAME_EVERYWHERE, ...SAME_ON_EACH_NODE],
  '--express': [...SAME_EVERYWHERE, ...WITHOUT_EXPRESS],
}

const [mode] = process.argv.slice(2)
const left = MODES[mode] ?? []
const files = mode in MODES ? [] : process.argv.slice(2)
if (files.length === 0) {
  files.push(...testsBelow('test').filter((file) => !left.some((pattern) => pattern.test(file))))
}

const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 }
const alone = files.filter((file) => ONE_AT_A_TIME.test(file))
const codes = [
  await run(
    files.filter((file) => !alone.includes(file)),
    // Most tests wait most of the time. More at once would make those late that wait for a moment.
    2,
  ),
  await run(alone, 1),
]
const { pass, fail, cancelled, skipped } = counts
console.log(`\n${pass} passed, ${fail + cancelled} failed${skipped ? `, ${skipped} skipped` : ''}`)
process.exitCode = codes.find((code) => code !== 0) || (pass === 0 ? 1 : 0)

/** Runs test files, so many at once, and adds up their counts. Resolves to the runner's exit code. */
async function run(some, atOnce) {
  if (some.length === 0) return 0
  const options = ['--import', 'tsx', '--test', '--test-reporter=spec', `--test-concurrency=${atOnce}`]
  const runner = spawn(process.execPath, [...options, ...some], { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface({ input: runner.stdout }).on('line', (line) => {
    console.log(line)
    const [, word, count] = /^ℹ (pass|fail|cancelled|skipped) (\d+)$/.exec(line) ?? []
    if (word) counts[word] += Number(count)
  })
  const [code] = await once(runner, 'close')
  return code ?? 1
}

function testsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testsBelow(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}
