/** Measures what else runs on the machine: a figure is only as good as the machine was quiet. */
import { readFileSync } from 'node:fs'
import { cores } from './cores'

/** Clock ticks per second, in which /proc counts CPU time: 100 on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000

/** CPU time of a process so far, in microseconds; NaN if it has ended or the system does not report it. */
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
 * Microseconds that the used cores have spent in processes, and those that the host of a virtual machine took from
 * them. Interrupts are excluded, because most of them are the benchmark's own network traffic.
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

/** Starts watching. The returned function returns the CPU time of processes other than `pids`, in percent of one core. */
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
