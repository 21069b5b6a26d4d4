/**
 * Assigns processes to cores. The proxy has a core to itself, so that its figures are those of one core. All other
 * processes share another core, and must be cheap enough to be faster than the proxy there.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const allowed = coresOfThisProcess()

/** True if processes can be pinned, which needs `taskset` and more than one core. */
export const canPin = allowed.length > 1

/** Cores by role; undefined if nothing can be pinned. The probe has its own core if there is a third one. */
export const cores = canPin
  ? { proxy: allowed[1], load: allowed[0], probe: allowed[2] ?? allowed[0] }
  : { proxy: undefined, load: undefined, probe: undefined }

/** Returns the command that runs `command` on a core. */
export function pinned(core: number | undefined, command: string[]): string[] {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command]
}

/** Moves this process, which mostly waits, away from the proxy's core. */
export function pinThisProcess(): void {
  if (canPin) spawnSync('taskset', ['-acp', String(cores.load), String(process.pid)])
}

/** The cores this process may use, from `taskset`'s list such as `0-3,6`; empty if there is no `taskset`. */
function coresOfThisProcess(): number[] {
  if (availableParallelism() < 2) return []
  const { stdout, status } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
  if (status !== 0) return []
  const list = stdout.slice(stdout.lastIndexOf(':') + 1).trim()
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
