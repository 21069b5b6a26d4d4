/** What else the machine does while it measures: a figure is only as good as the quiet around it. */
import { readFileSync } from 'node:fs'
import { cores } from './cores'

/** The system's clock tick, in which /proc counts CPU time: 100 a second on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000

/** Microseconds of CPU time that a process has had so far; NaN where the system does not tell, or if it has ended. */
export function cpuMicrosOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return (Number(user) + Number(system)) * MICROS_PER_TICK
  } catch {
    return Number.NaN
  }
}

/**
 * Microseconds that the cores in use have spent in processes so far, and those that a virtual machine's host kept from
 * them. Interrupts are left out: most of them are the benchmark's own network traffic.
 */
function coresMicros(): number {
  const lines = readFileSync('/proc/stat', 'utf8').split('\n')
  const used = new Set(Object.values(cores).map((core) => `cpu${core}`))
  const ticks = lines
    .map((line) => line.split(' '))
    .filter(([name = '']) => used.has(name))
    .map(([, user, nice, system, , , , , steal]) => Number(user) + Number(nice) + Number(system) + Number(steal))
  return ticks.length > 0 ? ticks.reduce((sum, ofCore) => sum + ofCore) * MICROS_PER_TICK : Number.NaN
}

/** Begins to watch; the function it returns says how much others than `pids` have had, in percent of one core. */
export function watchOthers(pids: number[]): () => number {
  const othersMicros = () => {
    try {
      return pids.reduce((others, pid) => others - cpuMicrosOf(pid), coresMicros())
    } catch {
      return Number.NaN
    }
  }
  const before = othersMicros()
  const startedAt = performance.now()
  return () => Math.max(0, (othersMicros() - before) / 10 / (performance.now() - startedAt))
}
