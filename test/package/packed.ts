import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

export const root = join(__dirname, '../..')

/** The fields of package.json that the tests of this folder read. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly homepage: string
  readonly bugs: string
  readonly repository: { readonly type: string; readonly url: string }
  readonly main: string
  readonly types: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly workspaces: unknown
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

export const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The package as npm packs it. */
export interface Packed {
  /** The tarball's path. */
  readonly tarball: string
  /** The tarball's size in bytes. */
  readonly size: number
  /** The size of its files in bytes. */
  readonly unpackedSize: number
  /** The folder that the tarball is unpacked to. */
  readonly folder: string
  /** The paths of its files below `folder`, sorted. */
  readonly files: readonly string[]
}

/**
 * Packs and unpacks the package as it has been built. To build it here would take the files away from tests that run at
 * the same time. Deletes what it wrote after the file's tests.
 */
export function pack(): Packed {
  const folder = mkdtempSync(join(tmpdir(), 'express-ai-proxy-packed-'))
  after(() => rmSync(folder, { recursive: true }))
  const npm = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder]
  const [{ filename, size, unpackedSize, files }] = JSON.parse(
    execFileSync('npm', npm, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' }),
  )
  const tarball = join(folder, filename)
  execFileSync('tar', ['-xzf', tarball, '-C', folder])
  const paths = files.map(({ path }: { path: string }) => path).sort()
  return { tarball, size, unpackedSize, folder: join(folder, 'package'), files: paths }
}
