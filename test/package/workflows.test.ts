import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { manifest, root } from './packed.js'
import { filesBelow } from './project-files.js'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly uses?: string
  readonly needs?: string | readonly string[]
  readonly 'timeout-minutes'?: number
  readonly environment?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly strategy?: { readonly matrix: { readonly include: readonly { row: string; node: number }[] } }
  readonly steps?: readonly Step[]
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions?: unknown
  readonly jobs: Readonly<Record<string, Job>>
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const parsed = (path: string) => parse(read(path), { strict: true, uniqueKeys: true })
const workflow = (path: string): Workflow => parsed(path)
const workflows = filesBelow('.github/workflows')
const rows = (...name: string[]) =>
  execFileSync(process.execPath, [join(root, '.ci/matrix.mjs'), ...name], { encoding: 'utf8' })
    .trim()
    .split('\n')

test('all YAML of .github parses', () => {
  const files = filesBelow('.github').filter((path) => path.endsWith('yml'))
  assert.ok(files.length >= 7)
  for (const path of files) assert.equal(typeof parsed(path), 'object', path)
})

test('CI on GitHub runs the rows of .ci/run, each with its version of Node', () => {
  const { test: job } = workflow('.github/workflows/ci.yml').jobs
  assert.deepEqual(
    job!.strategy!.matrix.include,
    rows().map((row) => ({ row, node: Number(rows(row)[0]) })),
  )
  const [node] = job!.steps!.filter(({ uses }) => uses?.startsWith('actions/setup-node@'))
  assert.equal(node!.with!['node-version'], `\${{ matrix.node }}`)
  assert.ok(job!.steps!.some(({ run }) => run === '.ci/run "$ROW"'))
})

describe('each workflow is safe with input from strangers', () => {
  for (const path of workflows) {
    const { on, permissions, jobs } = workflow(path)
    const steps = Object.values(jobs).flatMap((job) => job.steps ?? [])

    test(`${path}: has only the permissions that a job declares`, () => {
      assert.deepEqual(permissions, {})
      for (const [name, job] of Object.entries(jobs)) assert.ok(job.permissions, name)
    })

    test(`${path}: never runs a stranger's code with the repository's permissions`, () => {
      for (const event of ['pull_request_target', 'issue_comment', 'issues']) assert.ok(!(event in on), event)
      for (const { run } of steps) assert.doesNotMatch(run ?? '', /\$\{\{/, 'takes expressions through env')
    })

    test(`${path}: actions are pinned by commit, with the version in a comment`, () => {
      const uses = [...read(path).matchAll(/^\s*(?:- )?uses: (.+)$/gm)].map(([, value]) => value!)
      assert.equal(
        uses.length,
        steps.filter((step) => step.uses).length + Object.values(jobs).filter((j) => j.uses).length,
      )
      for (const value of uses) {
        if (value.startsWith('./')) assert.ok(existsSync(join(root, value)), value)
        else assert.match(value, /^[\w-]+\/[\w-]+(\/[\w-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
      }
    })

    test(`${path}: no credentials are stored in the work tree`, () => {
      const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))
      assert.ok(checkouts.length > 0)
      for (const step of checkouts) assert.equal(step.with?.['persist-credentials'], false)
    })

    test(`${path}: every job has a timeout`, () => {
      for (const [name, job] of Object.entries(jobs)) assert.ok(job.uses ?? job['timeout-minutes'], name)
    })

    test(`${path}: runs existing scripts, itself or through an action's inputs`, () => {
      const commands = steps.flatMap(({ run, with: given = {} }) => [run, ...Object.values(given)])
      for (const command of commands) {
        if (typeof command !== 'string') continue
        for (const [, script] of command.matchAll(/npm run (?:-\S+ )*([\w:-]+)/g)) {
          assert.ok(Object.hasOwn(manifest.scripts, script!), script)
        }
        for (const [file] of command.matchAll(/\.ci\/[\w.-]+/g)) assert.ok(existsSync(join(root, file)), file)
      }
    })
  }

  test('all workflows use the same version of an action', () => {
    const versions = new Map<string, Set<string>>()
    for (const [, action, version] of workflows
      .map(read)
      .join('\n')
      .matchAll(/uses: ([\w-]+\/[\w-]+)\S*@(\w+)/g)) {
      versions.set(action!, (versions.get(action!) ?? new Set()).add(version!))
    }
    assert.ok(versions.size >= 3)
    for (const [action, found] of versions) assert.equal(found.size, 1, action)
  })
})

describe('a release', () => {
  const { jobs } = workflow('.github/workflows/release.yml')

  test('gets its version from changesets, which also update the lock file', () => {
    const step = jobs.version!.steps!.find(({ uses }) => uses?.startsWith('changesets/action/version@'))
    const [, script] = /^npm run ([\w:-]+)$/.exec(String(step!.with!.script)) ?? []
    assert.match(manifest.scripts[script!] ?? '', /^changeset version && npm install --package-lock-only /)
  })

  test('only the publishing job can sign in to npm, after a maintainer has approved it', () => {
    const signedIn = Object.entries(jobs).filter(([, job]) => job.permissions?.['id-token'] === 'write')
    assert.deepEqual(
      signedIn.map(([name, job]) => [name, job.environment]),
      [['publish', 'npm']],
    )
  })

  test('is published only after CI has passed', () => {
    const before = (name: string): string[] =>
      [jobs[name]!.needs ?? []].flat().flatMap((needed) => [needed, ...before(needed)])
    assert.ok(before('publish').includes('ci'))
    assert.equal(jobs.ci!.uses, './.github/workflows/ci.yml')
    assert.ok('workflow_call' in workflow('.github/workflows/ci.yml').on)
  })

  test('uses no packages from a cache, and runs no install scripts', () => {
    for (const { steps = [] } of Object.values(jobs)) {
      for (const { uses, with: given } of steps) {
        if (uses?.startsWith('actions/setup-node@')) assert.equal(given?.['package-manager-cache'], false)
      }
      for (const { run } of steps) if (run?.startsWith('npm ci')) assert.equal(run, 'npm ci --ignore-scripts')
    }
  })
})

describe('dependabot', () => {
  interface Update {
    readonly 'package-ecosystem': string
    readonly groups: object
    readonly ignore?: readonly { readonly 'dependency-name': string }[]
  }
  const updates: Update[] = parsed('.github/dependabot.yml').updates

  test('keeps packages and actions up to date, in groups', () => {
    assert.deepEqual(
      updates.map((update) => update['package-ecosystem']),
      ['npm', 'github-actions'],
    )
    for (const { groups } of updates) assert.ok(Object.keys(groups).length > 0)
  })

  test('does not update clients whose next major needs a newer Node than the oldest supported', () => {
    const ignored = updates[0]!.ignore!.map((entry) => entry['dependency-name'])
    const held = rows('node-24')
      .slice(1)
      .map((name) => name.slice(0, name.lastIndexOf('@')))
      .filter((name) => Object.hasOwn(manifest.devDependencies, name) && !/express|langchain/.test(name))
    assert.ok(held.length > 3)
    assert.deepEqual(ignored, [...held, '@types/node'])
  })
})
