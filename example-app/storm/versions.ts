import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Contender } from './messages.js'

/** The versions of the two packages that a storm compares. */
export const contenderVersions: Readonly<Record<Contender, string>> = {
  ours: versionAbove(__dirname, 'express-ai-proxy'),
  plain: versionAbove(require.resolve('http-proxy-middleware'), 'http-proxy-middleware'),
}

/** Reads the version of a package from the `package.json` above one of its files, which its `exports` may hide. */
function versionAbove(file: string, name: string): string {
  const folder = path.dirname(file)
  if (folder === file) throw new Error(`No package.json of ${name} was found.`)
  try {
    const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
    if (manifest.name === name) return manifest.version
  } catch {
    // There is none in this folder.
  }
  return versionAbove(folder, name)
}
