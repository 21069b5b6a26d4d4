// Writes lib/API.md from the docstrings of what the package exports; with --check, only says whether it is up to date.
// A folder with packages of its own: TypeDoc needs TypeScript 6 for its API, which TypeScript 7, the project's, has not.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Application, TSConfigReader, TypeDocReader } from 'typedoc'

const committed = join(import.meta.dirname, '../../lib/API.md')
const generated = await generate()
if (generated === undefined) {
  console.error('A docstring is missing or wrong: see above.')
  process.exitCode = 1
} else if (!process.argv.includes('--check')) {
  writeFileSync(committed, generated)
} else if (generated !== readFileSync(committed, 'utf8').replaceAll('\r\n', '\n')) {
  console.error('lib/API.md is out of date: run `npm run docs`, and commit what it writes.')
  process.exitCode = 1
}

/** What lib/API.md should say; `undefined` where TypeDoc had anything to object to, which it has told by then. */
async function generate() {
  const options = { options: import.meta.dirname, logLevel: 'Warn' }
  const typedoc = await Application.bootstrapWithPlugins(options, [new TypeDocReader(), new TSConfigReader()])
  const project = await typedoc.convert()
  if (project) typedoc.validate(project)
  const folder = mkdtempSync(join(tmpdir(), 'express-ai-proxy-api-'))
  try {
    if (project) await typedoc.outputs.writeOutput({ name: 'markdown', path: folder }, project)
    if (typedoc.logger.hasErrors() || typedoc.logger.hasWarnings()) return undefined
    return readFileSync(join(folder, 'API.md'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}
