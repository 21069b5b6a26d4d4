/** Runs snippets as their readers do: as files, against a provider on this machine. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Owner } from '../e2e/support/provider.js'
import { Queue, within } from '../e2e/support/waiting.js'
import type { Block } from './pages.js'
import { extensionOf, nameOf } from './workshop.js'

/** A block that listens. */
export interface Running {
  /** `http://127.0.0.1:…` */
  readonly url: string
  /** All that its process printed so far. */
  printed(): string
  /** Resolves when its process has printed this. */
  prints(what: RegExp): Promise<void>
  /** Sends a signal to its process. @returns the exit code */
  signal(name: NodeJS.Signals): Promise<number | null>
}

/** Values for the variables that a block reads. */
export function environmentOf({ code }: Block): Record<string, string> {
  const names = [...code.matchAll(/process\.env\.(\w+)/g)].map(([, name]) => name!)
  const credentials = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
  const values = Object.fromEntries(names.map((name) => [name, `the-${name.toLowerCase().replaceAll('_', '-')}`]))
  return { ...credentials, ...values, APP_ORIGIN: 'https://your.site' }
}

/**
 * Writes the block as a file of the folder.
 *
 * @param target takes the place of the block's own
 * @returns the file's path
 */
export function write(block: Block, folder: string, target?: string): string {
  const code = target ? block.code.replace(/\btarget: (?:'[^']*'|`[^`]*`)/g, `target: '${target}'`) : block.code
  const file = path.join(folder, `${nameOf(block)}.${extensionOf(block)}`)
  writeFileSync(file, code)
  return file
}

/** Starts a block in a process of its own, which ends with the test. */
export async function start(t: Owner, block: Block, folder: string, target: string): Promise<Running> {
  return startTogether(t, [block], folder, target)(block)
}

/**
 * Starts blocks in one process, one after the other, because a process for each would take long.
 *
 * @returns waits until a block listens; throws what it threw
 */
export function startTogether(
  t: Owner,
  blocks: readonly Block[],
  folder: string,
  target: string,
): (block: Block) => Promise<Running> {
  const files = new Map(blocks.map((block) => [write(block, folder, target), block]))
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...inherited } = process.env
  const child = fork(path.join(__dirname, 'host.mjs'), [...files.keys()], {
    cwd: folder,
    env: Object.assign({}, inherited, ...blocks.map(environmentOf)),
    execArgv: blocks.some(({ language }) => language === 'ts') ? ['--import', 'tsx'] : [],
    silent: true,
  })
  const output = new Output(child)
  const exit = once(child, 'exit') as Promise<[number | null]>
  t.after(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const ports = new Map<string, { port?: number; error?: string }>()
  const told = new Queue<string>('a block of code to listen')
  child.on('message', (message: { file: string; port?: number; error?: string }) => {
    ports.set(message.file, message)
    told.push(message.file)
  })
  const control = {
    printed: () => output.text,
    prints: (what: RegExp) => output.has(what),
    async signal(name: NodeJS.Signals) {
      child.kill(name)
      const [code] = await within(exit, 'the process to end')
      return code
    },
  }
  return async (block) => {
    const file = [...files].find(([, one]) => one === block)![0]
    while (!ports.has(file)) await Promise.race([told.next(), exit.then(() => assertAlive(output.text))])
    const { port, error } = ports.get(file)!
    if (error !== undefined) throw new Error(error)
    return { url: `http://127.0.0.1:${port}`, ...control }
  }
}

function assertAlive(printed: string): never {
  throw new Error(`the process ended: ${printed}`)
}

/** What a process prints, on both ways. */
class Output {
  text = ''
  readonly #pieces = new Queue<string>('output')

  constructor({ stdout, stderr }: ChildProcess) {
    for (const stream of [stdout!, stderr!]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        this.text += piece
        this.#pieces.push(piece)
      })
    }
  }

  async has(what: RegExp): Promise<void> {
    while (!what.test(this.text)) {
      await this.#pieces.next().catch((error) => {
        throw new Error(`${error.message} like ${what}; it printed: ${this.text}`)
      })
    }
  }
}
