// docs/api.md, from the docstrings of what the package exports.
// A folder with packages of its own: TypeDoc's API needs TypeScript 6, and the project uses TypeScript 7.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Application, TSConfigReader, TypeDocReader } from 'typedoc'

/**
 * Generates the reference of the API.
 *
 * @returns {Promise<string>} Markdown
 * @throws Error if TypeDoc objects to a docstring; TypeDoc has printed why
 */
export async function apiReference() {
  const options = { options: import.meta.dirname, logLevel: 'Warn' }
  const typedoc = await Application.bootstrapWithPlugins(options, [new TypeDocReader(), new TSConfigReader()])
  const project = await typedoc.convert()
  if (project) typedoc.validate(project)
  const folder = mkdtempSync(join(tmpdir(), 'express-ai-proxy-api-'))
  try {
    if (project) await typedoc.outputs.writeOutput({ name: 'markdown', path: folder }, project)
    if (typedoc.logger.hasErrors() || typedoc.logger.hasWarnings()) {
      throw new Error('a docstring is missing or wrong: see above')
    }
    return readFileSync(join(folder, 'api.md'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}
