import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pack, root } from './packed.js'

const { folder } = pack()
const bundle = readFileSync(join(folder, 'dist/client.mjs'), 'utf8')

describe('the packed module for clients', () => {
  test('is one file that a browser loads as it is', async () => {
    assert.doesNotMatch(bundle, /^\s*import\b|\bimport\(|\brequire\(|\bmodule\.exports\b|\bexports\./m)
    // A module at such an address can import no file and no package.
    const url = `data:text/javascript,${encodeURIComponent(bundle)}`
    const module: Record<string, unknown> = await import(url)
    const required: object = createRequire(__filename)(join(folder, 'dist/client.js'))
    assert.deepEqual(Object.keys(module).sort(), Object.keys(required).sort())
    assert.deepEqual(Object.keys(module).sort(), ['ResumeError', 'resumable', 'stop'])
  })

  test('is small', () => {
    assert.ok(bundle.length < 40_000, `${bundle.length} characters`)
  })

  test('loads nothing else of the package, and nothing of Node, if it is required', () => {
    const script = `
      const module = require('node:module')
      const { _load } = module
      module._load = (name, ...rest) => {
        if (!name.startsWith('./')) throw new Error(name)
        return _load(name, ...rest)
      }
      require('./dist/client.js')
      console.log(Object.keys(require.cache).join('\\n'))`
    const loaded = execFileSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' })
    const files = loaded.trim().split('\n')
    assert.ok(files.length > 5)
    assert.deepEqual(
      files.filter((file) => !/[\\/]dist[\\/]client(?:\.js$|[\\/])/.test(file)),
      [],
    )
  })
})

const withFetch = `
  const wrapped: typeof fetch = resumable(fetch, { retries: 3, onAbort: 'leave' })
  const response: Response = await wrapped('/ai/v1/chat/completions', { method: 'POST', body: '{}' })
  const stopped: boolean = await stop(response)`
const withOwn = `
  interface Answer { readonly headers: { get(name: string): string | null } }
  const own = async (url: string): Promise<Answer> => ({ headers: { get: () => url } })
  const wrapped: typeof own = resumable(own, { streamsUrl: ({ id, url }) => url + id })
  const stopped: boolean = await stop(await wrapped('/'), { streamsUrl: '/ai/-/streams' })`

const setups: readonly [name: string, lib: readonly string[], types: readonly string[], code: string][] = [
  ['in a browser, without the types of Node', ['es2022', 'dom'], [], withFetch],
  ['in Node, without the types of browsers', ['es2022'], ['node'], withFetch],
  ['with both', ['es2022', 'dom'], ['node'], withFetch],
  ['with neither', ['es2022'], [], withOwn],
]

describe('its types compile', () => {
  for (const [name, lib, types, code] of setups) {
    test(name, () => {
      const project = mkdtempSync(join(tmpdir(), 'express-ai-proxy-client-'))
      try {
        mkdirSync(join(project, 'node_modules/@types'), { recursive: true })
        symlinkSync(folder, join(project, 'node_modules/express-ai-proxy'))
        for (const needed of ['@types/node', 'undici-types']) {
          symlinkSync(join(root, 'node_modules', needed), join(project, 'node_modules', needed))
        }
        const imports = "import { ResumeError, resumable, stop } from 'express-ai-proxy/client'"
        const use = 'const code: string = new ResumeError("gone", "", { streamId: "" }).code'
        writeFileSync(join(project, 'app.mts'), `${imports}\n${use}${code}\nexport { code, stopped }\n`)
        const options = { target: 'es2022', module: 'nodenext', strict: true, noEmit: true, skipLibCheck: false }
        const config = { compilerOptions: { ...options, lib, types }, include: ['app.mts'] }
        writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
        const tsc = join(root, 'node_modules/typescript/bin/tsc')
        try {
          execFileSync(process.execPath, [tsc, '-p', project, '--pretty', 'false'], { encoding: 'utf8' })
        } catch (error) {
          assert.fail((error as { stdout: string }).stdout)
        }
      } finally {
        rmSync(project, { recursive: true, force: true })
      }
    })
  }
})
