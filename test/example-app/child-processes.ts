import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Why children cannot be seen here; `false` where they can. */
export const cannotSee = existsSync('/proc/self/status') ? false : 'processes cannot be seen without /proc'

/** Ids of this process' children that run a storm. */
export function childProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isStormChild(pid))
}

function isStormChild(pid: number): boolean {
  try {
    const [, parent] = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(parent) === process.pid && /\.child\.ts/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  } catch {
    return false // it has ended meanwhile
  }
}
