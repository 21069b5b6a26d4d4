/**
 * Makes each mutation of mutations/ in a copy of the project, and runs its tests there: one of them must fail.
 *
 *   npm run mutate                       all mutations
 *   npm run mutate -- framing retry      those of these parts
 *   npm run mutate -- --jobs=4           how many run at a time; by default one for each two processors
 *
 * Exits with 1 if a mutation survives, is stale, or cannot be judged because its tests fail without it.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Mutation, placeOf } from './mutation.js'
import { mutations } from './mutations.js'

const root = join(__dirname, '../..')

/** A mutant may run for ever. No file of tests takes a quarter of this. */
const LONGEST_RUN_MS = 120_000

/** How a run of tests ended; `broken`: the code did not even load. */
type Verdict = 'passed' | 'failed' | 'broken'

/** What must be done if this process ends early: first the tests must end, then the folders in which they run. */
const toEnd = new Set<() => void>()
const toDelete = new Set<() => void>()
process.on('exit', () => {
  for (const cleanUp of [...toEnd, ...toDelete]) cleanUp()
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

/** A copy of the project, in which one mutation is made at a time. */
class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'express-ai-proxy-mutant-'))

  constructor() {
    toDelete.add(this.#delete)
    for (const name of readdirSync(root)) {
      if (name === 'node_modules') symlinkSync(join(root, name), join(this.folder, name))
      else if (!['.git', 'dist'].includes(name)) cpSync(join(root, name), join(this.folder, name), { recursive: true })
    }
  }

  /** Runs files of tests one after the other, until one fails. @returns the first that does, and how */
  async firstFailing(tests: readonly string[]): Promise<{ test: string; verdict: Verdict } | undefined> {
    for (const test of tests) {
      const verdict = await this.#run(test)
      if (verdict !== 'passed') return { test, verdict }
    }
    return undefined
  }

  /** Runs the tests while a file has other code. */
  async firstFailingWith(file: string, code: string, tests: readonly string[]) {
    const path = join(this.folder, file)
    const original = readFileSync(path, 'utf8')
    writeFileSync(path, code)
    try {
      return await this.firstFailing(tests)
    } finally {
      writeFileSync(path, original)
    }
  }

  remove(): void {
    toDelete.delete(this.#delete)
    this.#delete()
  }

  readonly #delete = (): void => rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })

  #run(test: string): Promise<Verdict> {
    const args = ['--import', 'tsx', '--test', '--test-reporter=tap', test]
    const child = spawn(process.execPath, args, { cwd: this.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    // The runner starts a process for each file, which must not outlive it, or us.
    const endAll = () => {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // They have ended meanwhile.
      }
    }
    toEnd.add(endAll)
    const timer = setTimeout(endAll, LONGEST_RUN_MS)
    return new Promise((resolve) => {
      child.on('close', (code) => {
        clearTimeout(timer)
        toEnd.delete(endAll)
        if (code === 0) resolve('passed')
        else resolve(/TransformError|SyntaxError: |ERR_MODULE_NOT_FOUND/.test(output) ? 'broken' : 'failed')
      })
    })
  }
}

/** Does work with a few workers at a time, each of which has a workshop of its own. */
async function inWorkshops<T>(items: readonly T[], jobs: number, work: (item: T, workshop: Workshop) => Promise<void>) {
  const rest = [...items]
  const worker = async () => {
    const workshop = new Workshop()
    try {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item, workshop)
    } finally {
      workshop.remove()
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, worker))
}

const shown = ({ part, text, becomes }: Mutation, file = '') => {
  const inOneLine = (code: string) => code.replace(/\s+/g, ' ').trim() || 'nothing'
  return `${part}: ${file && `${file}: `}${inOneLine(text)}  →  ${inOneLine(becomes)}`
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { jobs: { type: 'string' } }, allowPositionals: true })
  const jobs = Number(values.jobs ?? Math.ceil(availableParallelism() / 2))
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error(`--jobs takes a number from 1 on, not ${values.jobs}`)
  const parts = new Set(mutations.map(({ part }) => part))
  const unknown = positionals.find((part) => !parts.has(part))
  if (unknown) throw new Error(`There is no part ${unknown}: ${[...parts].join(', ')}`)

  const chosen = mutations.filter(({ part }) => positionals.length === 0 || positionals.includes(part))
  const paths = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  const sources = new Map(
    paths
      .filter((path) => path.endsWith('.ts'))
      .map((path) => [`lib/${path}`, readFileSync(join(root, 'lib', path), 'utf8')]),
  )
  const faults: string[] = []
  const fault = (what: string, which: string) => {
    faults.push(`${what}  ${which}`)
    console.log(`${what}  ${which}`)
  }

  const failing = new Set<string>()
  await inWorkshops([...new Set(chosen.flatMap(({ tests }) => tests))], jobs, async (test, workshop) => {
    if (!existsSync(join(root, test)) || !(await workshop.firstFailing([test]))) return
    failing.add(test)
    fault('FAILS WITHOUT A MUTATION', test)
  })

  let killed = 0
  await inWorkshops(chosen, jobs, async (mutation, workshop) => {
    const place = placeOf(mutation, sources, (test) => existsSync(join(root, test)))
    if ('stale' in place) return fault('STALE MUTATION', `${shown(mutation)} (${place.stale})`)
    const tests = mutation.tests.filter((test) => !failing.has(test))
    const first = await workshop.firstFailingWith(place.file, place.mutated, tests)
    if (!first) fault('SURVIVED', shown(mutation, place.file))
    else if (first.verdict === 'broken') fault('BROKEN MUTATION', `${shown(mutation, place.file)} (does not load)`)
    else {
      killed++
      console.log(`killed  ${shown(mutation, place.file)}  (${first.test})`)
    }
  })
  console.log(`\n${chosen.length} mutations, ${killed} killed${faults.length > 0 ? '; but:' : ''}`)
  for (const each of faults) console.log(each)
  process.exitCode = faults.length > 0 ? 1 : 0
}

void main()
