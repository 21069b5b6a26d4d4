// Runs the tests with Node's own runner and closes with one line that counts them.
//   node .ci/run-tests.mjs [files…]         default: every *.test.ts below test/
//   node .ci/run-tests.mjs --product       of these, without what does not depend on the versions of Node and packages
//   node .ci/run-tests.mjs --runtime       of those, without pure code and the docs: for a further line of Node
//   node .ci/run-tests.mjs --express       of those, without what does not touch Express: for another version of Express alone
import { spawn, spawnSync } from 'node:child_process'
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
/** What is tested here never sees Express, or sees of it what the other tests see, through clients and stores that do not. */
const WITHOUT_EXPRESS = [
  /^test[/\\](?:api|client|exchange|formats|framing|handle|journal|json|metering|metrics|options|policies|pricing)[/\\]/,
  /^test[/\\](?:queue|quota|request|response|routing|scheduling|soak|upstream|util)[/\\]/,
  /^test[/\\]clients[/\\]|quota-redis/,
]

/**
 * What is pure, what runs in a browser, the programs of the docs, and what is between Redis or a client and its own library, run on two
 * lines of Node already.
 */
const SAME_ON_EACH_NODE = [
  /^test[/\\](?:api|clients?|docs|formats|framing|journal|json|metering|metrics|options|pricing|queue|quota|routing|setups)[/\\]/,
  /redis|stores\.model/,
]

/** They start browsers or several processes of their own, or measure: one at a time, beside one of the others. */
const ONE_AT_A_TIME = /^test[/\\](?:bench|clients?[/\\]browser|example-app|package|setups)|leaks\.test|docs[/\\]react/

/** A test file is stopped after this time, and has failed: the slowest takes one minute or two. In milliseconds. */
const LIMIT = 420_000
/** How long a test file's output may stay open after its end. In milliseconds. */
const LINGER = 5_000

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

/** Test files under way. They do not get what a terminal sends to this process, because they have process groups of their own. */
const runners = new Set()
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
]) {
  process.once(signal, () => {
    for (const runner of runners) stop(runner)
    process.exit(128 + number)
  })
}

const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 }
/** What the runner says of each test that failed, again at the end: the whole output is long. */
const failures = []
let code = 0
// Most tests wait most of the time, so that two files run at once. More would make those late that wait for a moment.
const alone = files.filter((file) => ONE_AT_A_TIME.test(file))
const others = files.filter((file) => !alone.includes(file))
await Promise.all([runAll([alone, others]), runAll([others])])

if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}`)
const { pass, fail, cancelled, skipped } = counts
console.log(`\n${pass} passed, ${fail + cancelled} failed${skipped ? `, ${skipped} skipped` : ''}`)
process.exitCode = code || (pass === 0 ? 1 : 0)

/** Runs the files of the first list that is not empty, one after another, until there are none. */
async function runAll(lists) {
  for (;;) {
    const file = lists.find((list) => list.length > 0)?.shift()
    if (file === undefined) return
    await run(file)
  }
}

/** Runs a test file, shows what it printed, and adds up its counts. */
async function run(file) {
  const started = Date.now()
  // Without `--test`, which would start a further process for the file.
  const options = ['--import', 'tsx', '--test-reporter=spec']
  // A process group of its own, so that what the file starts can be stopped with it. On Windows, that opens a window.
  const detached = process.platform !== 'win32'
  const runner = spawn(process.execPath, [...options, file], { stdio: ['ignore', 'pipe', 'pipe'], detached })
  runners.add(runner)
  const lines = []
  for (const output of [runner.stdout, runner.stderr]) {
    createInterface({ input: output }).on('line', (line) => lines.push(line))
  }
  const overdue = setTimeout(() => {
    lines.push(`Stopped: it did not end within ${LIMIT / 1000} s. Running: ${running(runner.pid)}`)
    stop(runner)
  }, LIMIT)
  const closed = once(runner, 'close')
  const [exitCode, signal] = await once(runner, 'exit')
  clearTimeout(overdue)
  // What outlives its test file may hold the file's output open.
  const lingering = setTimeout(() => {
    lines.push(`It left processes behind: ${running(runner.pid)}`)
    stop(runner)
  }, LINGER)
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LINGER * 2).unref())])
  clearTimeout(lingering)
  runners.delete(runner)
  console.log(`\n${file} (${((Date.now() - started) / 1000).toFixed(1)} s)\n${lines.join('\n')}`)
  // Tests that ended their own process have counted nothing, whatever its code.
  if (exitCode === 0 && lines.some((line) => /^ℹ pass \d+$/.test(line))) return add(lines)
  code = exitCode || 1
  const told = lines.lastIndexOf('✖ failing tests:')
  failures.push(`${file}${signal ? ` (${signal})` : ''}`, ...(told === -1 ? lines.slice(-20) : lines.slice(told + 1)))
  // A runner that broke off has counted nothing.
  if (!add(lines)) counts.fail++
}

/** Kills a test file's process and all it started. */
function stop(runner) {
  try {
    process.kill(-runner.pid, 'SIGKILL')
  } catch {
    // All of them have ended, or there are no process groups here.
    runner.kill('SIGKILL')
  }
}

/** @returns the command lines of a process group, for whoever looks for what hangs */
function running(group) {
  const { stdout } = spawnSync('ps', ['-eo', 'pgid=,etimes=,args='], { encoding: 'utf8' })
  const own = (stdout ?? '').split('\n').filter((line) => Number.parseInt(line, 10) === group)
  return own.map((line) => line.trim().slice(0, 300)).join('\n  ')
}

/** @returns whether a test is among those that failed */
function add(lines) {
  let failed = 0
  for (const line of lines) {
    const [, word, count] = /^ℹ (pass|fail|cancelled|skipped) (\d+)$/.exec(line) ?? []
    if (!word) continue
    counts[word] += Number(count)
    if (word === 'fail' || word === 'cancelled') failed += Number(count)
  }
  return failed > 0
}

function testsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testsBelow(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}
