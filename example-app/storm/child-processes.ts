import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** Child processes that report their state again and again. They end with the parent, because their channel closes. */
export class ChildProcesses {
  readonly #running = new Set<ChildProcess>()
  readonly #failed = new AbortController()

  /** Starts a program, and waits until it has reported its state for the first time. */
  async start<State, Message extends object>(file: string, args: string[], signal: AbortSignal) {
    const child = fork(file, args)
    this.#running.add(child)
    child.on('exit', (code, by) => {
      if (!this.#running.delete(child)) return
      this.#failed.abort(new Error(`${file} ended by itself (${by ?? code})`))
    })
    const handle: Child<State, Message> = {
      state: undefined as State,
      send: (message) => {
        if (child.connected) child.send(message)
      },
      kill: () => {
        this.#running.delete(child)
        return kill(child)
      },
    }
    child.on('message', (state: State) => {
      handle.state = state
    })
    await once(child, 'message', { signal: AbortSignal.any([signal, this.#failed.signal]) })
    return handle
  }

  /** Aborted when one of them has ended by itself. */
  get failed(): AbortSignal {
    return this.#failed.signal
  }

  /** Kills them all. Resolves when they have exited. */
  async stop(): Promise<void> {
    const children = [...this.#running]
    this.#running.clear()
    await Promise.all(children.map(kill))
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

export interface Child<State, Message extends object = never> {
  /** What it reported last. */
  state: State
  send(message: Message): void
  /** Kills it, which is no failure. Resolves when it has exited. */
  kill(): Promise<void>
}
