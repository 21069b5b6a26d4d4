// Deletes the declarations in dist/ to which no entry point of the package leads: nobody can import them.
//   node .ci/public-types.mjs
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const DECLARATION = /\.d\.m?ts$/
/** `from './x.js'`, `import './x.js'`, `import("./x.js")`, as tsc writes them. */
const IMPORTED = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g

const { exports, types } = JSON.parse(readFileSync('package.json', 'utf8'))
const waiting = stringsIn([exports, types])
  .filter((path) => DECLARATION.test(path))
  .map(normalize)
const isPublic = new Set()
for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
  if (isPublic.has(path) || !existsSync(path)) continue
  isPublic.add(path)
  for (const [, imported] of readFileSync(path, 'utf8').matchAll(IMPORTED)) {
    waiting.push(join(dirname(path), imported.replace(/\.(m?)js$/, '.d.$1ts')))
  }
}

for (const name of readdirSync('dist', { recursive: true })) {
  const path = join('dist', name)
  if (DECLARATION.test(path) && !isPublic.has(path)) rmSync(path)
}

function stringsIn(value) {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}
