import { after, before, beforeEach } from 'node:test'
import { type Call, type Owner, type Provider, startProvider } from '../e2e/support/provider.js'
import type { Block } from './pages.js'
import { type Running, startTogether } from './running.js'
import { makeWorkshop } from './workshop.js'

/** The provider of the recipes of one suite, all of which run in one process. */
export class RecipeProvider {
  /** How it answers; before each test, with `{}`. */
  answer: (call: Call) => unknown = ok
  #provider: Provider | undefined
  #running: ((block: Block) => Promise<Running>) | undefined

  /** To be called within a suite. */
  constructor(blocks: readonly Block[]) {
    const cleaning: (() => unknown)[] = []
    const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
    before(async () => {
      const workshop = makeWorkshop()
      cleaning.push(workshop.remove)
      this.#provider = await startProvider(owner, { onCall: (call) => this.answer(call) })
      this.#running = startTogether(owner, blocks, workshop.folder, this.#provider.url)
    })
    beforeEach(() => {
      this.answer = ok
    })
    after(async () => {
      for (const clean of cleaning) await clean()
    })
  }

  /** What it got, in order. */
  get calls(): readonly Call[] {
    return this.#provider!.calls
  }

  get port(): number {
    return this.#provider!.port
  }

  /** What it got last. */
  get last(): Call {
    return this.calls.at(-1)!
  }

  /** Waits until a recipe listens. */
  running(block: Block): Promise<Running> {
    return this.#running!(block)
  }
}

const ok = (call: Call) => void call.text.then(() => call.json(200, {}))
