import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const packages = join(__dirname, '../../node_modules')

interface Manifest {
  readonly version: string
  readonly engines?: { readonly node?: string }
}

/** Why the clients cannot run here, or `false`: for the option `skip` of a test. */
export function cannotRun(...names: readonly string[]): string | false {
  for (const name of names) {
    const { version, engines } = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')) as Manifest
    const range = engines?.node
    if (range && !satisfies(process.versions.node, range)) {
      return `${name} ${version} needs Node ${range}, this is ${process.versions.node}`
    }
  }
  return false
}

/** The first of these programs that is installed. */
export function programNamed(...names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
}

/** As far as packages write such ranges: `>=20.1`, `^20.19.0 || >=22.12.0`, `20 || 22`. */
function satisfies(version: string, range: string): boolean {
  return range.split('||').some((alternative) => {
    const [, sign, least] = /^\s*(>=|\^|~|)\s*v?([\d.]+)/.exec(alternative) ?? []
    if (least === undefined) return true
    const isSameLine = version.split('.')[0] === least.split('.')[0]
    return version.localeCompare(least, 'en', { numeric: true }) >= 0 && (sign === '>=' || isSameLine)
  })
}
