import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../e2e/support/waiting.js'
import type { Accounts } from './accounts.js'
import { Client } from './client.js'
import { kinds } from './kinds.js'
import type { SoakProvider } from './provider.js'
import { routedKinds } from './routed-kinds.js'

const allKinds = { ...kinds, ...routedKinds }

/** Longer than any exchange of the soak takes, even on a busy machine. */
const PATIENCE_MS = 60_000

/** The minimum interval between two requests of a client: the soak looks for leaks, not for the machine's limits. */
const PACE_MS = 2500

/** The names of the kinds, round after round. */
function* inTurn(): Generator<string, never> {
  for (let round = 0; ; round++) {
    for (const [name, { every = 1 }] of Object.entries(allKinds)) if (round % every === 0) yield name
  }
}

/** Clients that run one exchange after another, of all kinds in turn. */
export class Crowd {
  readonly #port: number
  readonly #provider: SoakProvider
  readonly #accounts: Accounts
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #names = inTurn()
  #asked = 0

  constructor(port: number, provider: SoakProvider, accounts: Accounts) {
    this.#port = port
    this.#provider = provider
    this.#accounts = accounts
  }

  /** Resolves when everything that began during this time is over. */
  async goOnFor(ms: number, clients: number): Promise<void> {
    const end = performance.now() + ms
    const one = async () => {
      for (let next = performance.now(); next < end; next = Math.max(next + PACE_MS, performance.now())) {
        await sleep(next - performance.now())
        await this.#exchange(this.#names.next().value)
      }
    }
    await Promise.all(Array.from({ length: clients }, one))
  }

  /** Closes its kept-alive connections. */
  close(): void {
    this.#agent.destroy()
  }

  async #exchange(name: string): Promise<void> {
    const { mount, ends, ask, act, goes } = allKinds[name]!
    const id = `${name} #${++this.#asked}`
    const call = this.#provider.expect(id, act ?? (() => {}))
    const recorded = this.#accounts.begin(name, id, ends)
    const path = `/${mount}${ask?.path ?? '/v1/chat/completions'}`
    const headers = { 'content-type': 'application/json', ...ask?.headers, 'x-request-id': id }
    const body = ask?.body ?? `{"model":"gpt-of-the-soak","stream":${!name.includes('json')},"messages":[]}`
    const client = new Client(this.#port, { path, headers, body }, this.#agent)
    const records = [recorded]
    const get = (path: string) => {
      const again = `${id} again`
      records.push(this.#accounts.begin(name, again, 'completed'))
      return new Client(this.#port, { path, headers: { 'x-request-id': again }, body: undefined }, this.#agent)
    }
    try {
      await within(goes(client, call, get), 'the end at the client', PATIENCE_MS)
    } catch (error) {
      this.#accounts.disappoint(id, error)
    }
    // An exchange without a record stays open in the accounts, as lost.
    await within(Promise.all(records), 'a record', PATIENCE_MS).catch(() => {})
    client.leave()
    this.#provider.forget(id)
  }
}
