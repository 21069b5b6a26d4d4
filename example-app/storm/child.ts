import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** Child processes that tell their state again and again. They end with the parent: their channel closes. */
export class Children {
  readonly #running = new Set<ChildProcess>()
  readonly #failed = new AbortController()

  /** Starts a program, and waits until it has told its state for the first time. */
  async start<State, Message extends object>(file: string, args: string[], signal: AbortSignal) {
    const child = fork(file, args)
    this.#running.add(child)
    child.on('exit', (code, by) => {
      if (!this.#running.delete(child)) return
      this.#failed.abort(new Error(`${file} ended on its own (${by ?? code})`))
    })
    const telling: Child<State, Message> = {
      state: undefined as State,
      say: (message) => {
        if (child.connected) child.send(message)
      },
    }
    child.on('message', (state: State) => {
      telling.state = state
    })
    await once(child, 'message', { signal: AbortSignal.any([signal, this.#failed.signal]) })
    return telling
  }

  /** Aborted when one of them has ended that was not told to. */
  get failed(): AbortSignal {
    return this.#failed.signal
  }

  /** Ends them all at once. Resolves when they are gone. */
  async stop(): Promise<void> {
    const children = [...this.#running]
    this.#running.clear()
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }),
    )
  }
}

export interface Child<State, Message extends object = never> {
  /** What it told last. */
  state: State
  say(message: Message): void
}
