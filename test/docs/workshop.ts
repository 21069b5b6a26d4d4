/** A folder in which a reader of the documentation works: the package and everything else is installed, and snippets are files. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Block, root } from './pages.js'

/** What snippets import as the reader's own: a sign-in, the keys of users, and the types of another snippet. */
const own = {
  'auth.mjs': `export function signedInUsersOnly(req, res, next) {
    const id = req.get('x-user')
    if (!id) return res.status(401).end()
    req.user = { id }
    next()
  }`,
  'auth.d.mts': `import type { RequestHandler } from 'express'
  declare global { namespace Express { interface Request { user: { id: string; key?: string } } } }
  export declare const signedInUsersOnly: RequestHandler`,
  'ask.d.ts': `export declare function ask(prompt: string, onText: (text: string) => void, signal?: AbortSignal): Promise<void>`,
  'keys.mjs': `export async function keyOf(user) { return user === 'ann' ? 'key of ann' : undefined }`,
  'teams.mjs': `export async function teamOf(user) { return 'team of ' + user }`,
  'teams.d.mts': `export declare function teamOf(user: string): Promise<string>`,
  'plans.mjs': `export async function planOf(user) { return user === 'ann' ? 'paid' : 'free' }`,
  'plans.d.mts': `export declare function planOf(user: string): Promise<'free' | 'paid'>`,
  'keys.d.mts': `export declare function keyOf(user: string): Promise<string | undefined>`,
}

/** Makes the folder. The package in it is the built one, so `npm run build` comes first. */
export function makeWorkshop(): { folder: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'express-ai-proxy-docs-'))
  const modules = path.join(folder, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(path.join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  }
  symlinkSync(root, path.join(modules, 'express-ai-proxy'))
  // As `npm init` leaves it: CommonJS, so a module has to be named so.
  writeFileSync(path.join(folder, 'package.json'), '{}')
  for (const [name, text] of Object.entries(own)) writeFileSync(path.join(folder, name), text)
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}

/** Blocks in these languages are whole files. */
export function isProgram({ language }: Block): boolean {
  return ['js', 'ts', 'tsx'].includes(language)
}

/** The extension of the file that a block is: of the name in its first line, or else of a module. */
export function extensionOf({ code, language }: Block): string {
  return /^\/\/ \S+?\.([cm]?[jt]sx?)\b/.exec(code)?.[1] ?? (language === 'js' ? 'mjs' : language)
}

/** A name for a block that says where it is from. */
export function nameOf({ page, number }: Block): string {
  return `${page.replace(/\.md$/, '').replaceAll('/', '-')}-${number}`
}

/** The packages that a block imports, of those that are not installed. */
export function missingPackages({ code }: Block): string[] {
  const { resolve } = createRequire(path.join(root, 'package.json'))
  const imported = [...code.matchAll(/(?:from|import) '((?:@[\w-]+\/)?[\w-]+)/g)].map(([, name]) => name!)
  return imported.filter((name) => {
    if (name === 'node' || name === 'express-ai-proxy') return false
    try {
      resolve(`${name}/package.json`)
      return false
    } catch (error) {
      // Not every package exports its package.json.
      return (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND'
    }
  })
}
