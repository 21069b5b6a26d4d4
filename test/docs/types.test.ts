import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { pages, root } from './pages.js'
import { extensionOf, isProgram, makeWorkshop, missingPackages, nameOf } from './workshop.js'

const documented = pages.filter(({ file }) => file === 'README.md' || file.startsWith('docs/'))
const blocks = documented.flatMap((page) => page.blocks).filter(({ page }) => page !== 'docs/api.md')
const programs = blocks.filter(isProgram)

/** What is shown and is no program. */
const others = ['sh', 'nginx', 'yaml', 'mermaid', 'md']

describe('every block of code in the README and in docs/', () => {
  let complaints = ''
  before(() => {
    assert.ok(existsSync(path.join(root, 'dist/index.d.ts')), 'npm run build comes first')
    complaints = typeCheck()
  })

  test('more than 50 of them are found', () => assert.ok(programs.length > 50, `${programs.length} blocks`))

  for (const block of programs) {
    const missing = missingPackages(block)
    const skip = missing.length > 0 && `${missing.join(', ')} is not installed`
    test(`${block.page}, ${block.heading}, block ${block.number} compiles in strict TypeScript`, { skip }, () => {
      const own = complaints.split('\n').filter((line) => line.startsWith(`${nameOf(block)}.`))
      assert.deepEqual(own, [])
    })
  }

  test('has a known language', () => {
    const strange = blocks.filter((block) => !isProgram(block) && !others.includes(block.language))
    assert.deepEqual(
      strange.map(({ page, number, language }) => `${page}, block ${number}: ${language}`),
      [],
    )
  })

  test('the compiler reports nothing else', () => {
    const names = programs.map(nameOf)
    const rest = complaints.split('\n').filter((line) => line && !names.some((name) => line.startsWith(`${name}.`)))
    assert.deepEqual(rest, [])
  })
})

/** One run for all of them. @returns what the compiler complains of, a line each */
function typeCheck(): string {
  const { folder, remove } = makeWorkshop()
  try {
    for (const block of programs) {
      if (missingPackages(block).length > 0) continue
      // Modules in JavaScript are held to the same types as TypeScript.
      const extension = extensionOf(block).replace('mjs', 'mts')
      writeFileSync(path.join(folder, `${nameOf(block)}.${extension}`), block.code)
    }
    const compilerOptions = {
      ...{ target: 'es2022', lib: ['es2023', 'dom', 'dom.iterable'], module: 'nodenext', types: ['node'] },
      ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
      ...{
        jsx: 'react-jsx',
        allowJs: true,
        checkJs: true,
        noEmit: true,
        skipLibCheck: true,
        experimentalDecorators: true,
      },
    }
    writeFileSync(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.ts', '*.mts', '*.tsx', '*.cjs'] }),
    )
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
    return ''
  } catch (error) {
    const { stdout } = error as { stdout?: string }
    if (!stdout) throw error
    // What a complaint goes on with on further lines belongs to it.
    return stdout.trim().replace(/\n\s+/g, ' ')
  } finally {
    remove()
  }
}
