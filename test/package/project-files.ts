import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packed.js'

/** What is installed or built, and the folder in which tests write and delete files while others run. */
const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', 'test'])

/** The paths of the project's own files below a folder of it, tests aside, without what is installed or built. */
export function filesBelow(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}
