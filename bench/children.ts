/** Child processes, each pinned to a core, that answer questions and end with the benchmark, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { pinned } from './cores'
import type { Answer, Api, Question } from './rpc'

const running = new Set<ChildProcess>()

function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

/** PIDs of the benchmark's processes: this one and its children. */
export function runningPids(): number[] {
  return [process.pid, ...[...running].flatMap(({ pid }) => pid ?? [])]
}

/** Starts a program on the given core. With `ipc` it can be asked questions. */
export function start(core: number | undefined, command: string[], ipc: boolean, env = process.env): ChildProcess {
  const [program, ...args] = pinned(core, command)
  const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', ipc ? 'ipc' : 'ignore'], env })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** Kills a child and waits until it has exited, so that it does not disturb the next measurement. */
export async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** A child process that answers questions. */
export class Child<A extends Api> {
  private lastId = 0
  private readonly waiting = new Map<number, (answer: Answer) => void>()

  constructor(readonly process: ChildProcess) {
    process.on('message', (answer: Answer) => this.answered(answer))
    process.on('exit', (code, signal) => this.gone(`the process ended (${signal ?? code})`))
    process.on('error', (error) => this.gone(error.message))
  }

  /** Asks the child. Rejects with the child's error, if the child ends, or after `timeoutMs` (a minute by default). */
  ask<N extends keyof A & string>(name: N, input: Parameters<A[N]>[0], timeoutMs = 60_000) {
    this.lastId += 1
    const id = this.lastId
    return new Promise<Awaited<ReturnType<A[N]>>>((resolve, reject) => {
      const timer = setTimeout(() => this.answered({ id, error: `${name}: no answer in ${timeoutMs} ms` }), timeoutMs)
      this.waiting.set(id, (answer) => {
        clearTimeout(timer)
        if (answer.error === undefined) resolve(answer.value as Awaited<ReturnType<A[N]>>)
        else reject(new Error(answer.error))
      })
      if (!this.process.connected) return this.gone('the process has ended')
      this.process.send({ id, name, input } satisfies Question)
    })
  }

  stop(): Promise<void> {
    return stop(this.process)
  }

  private answered(answer: Answer): void {
    const settle = this.waiting.get(answer.id)
    this.waiting.delete(answer.id)
    settle?.(answer)
  }

  private gone(why: string): void {
    for (const id of [...this.waiting.keys()]) this.answered({ id, error: why })
  }
}
