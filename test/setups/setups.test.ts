import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']

/** Users' projects, small: each gets the package as npm packs it, and is started. */
describe('the packed package, installed', { concurrency: true }, () => {
  let folder = ''
  let tarball = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'express-ai-proxy-setups-'))
    // `npm test` has built it; to build again would pull the files from under tests that run beside this one.
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder, '--loglevel=error'])
    tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? assert.fail('not packed'))
  })

  after(() => rm(folder, { recursive: true, force: true }))

  for (const setup of ['commonjs', 'esm', 'typescript-commonjs', 'typescript-esm']) {
    test(`works in a project of type ${setup}`, async () => {
      const project = join(folder, setup)
      await cp(join(__dirname, setup), project, { recursive: true })
      await run('npm', ['install', '--no-package-lock', ...quietly, tarball], { cwd: project })
      const { stdout } = await run('npm', ['start', '--silent'], { cwd: project })
      assert.equal(stdout, 'data: {"hello":"world"}\n\ndata: [DONE]\n\n')
    })
  }
})
