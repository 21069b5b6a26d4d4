/** The process that is watched: an app with all the mounts, and nothing else that could grow. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { answerWith } from '../../bench/rpc.js'
import { type AiProxy, type AiProxyOptions, aiProxy } from '../../lib/index.js'
import type { ToldAttempt } from './attempts.js'
import { type Mount, mountNames, optionsOf, rollingMounts } from './mounts.js'
import { heldInStore, SoakPolicies } from './policies.js'
import type { Sample } from './sample.js'

/** Reported for each exchange without a question: its `x-request-id`, its outcome, and its attempts. */
export interface Told {
  ended: [id: string, end: string, attempts: readonly ToldAttempt[]]
}

/** A middleware, and its policies. */
interface Mounted {
  readonly proxy: AiProxy
  readonly policies: SoakPolicies
}

const running = new Map<Mount, Mounted>()
/** The counts of closed middlewares. */
const retired = { exchanges: 0, ended: 0, inFlight: 0, bodyBytes: 0, reserved: 0 }
let target = ''

function make(mount: Mount): Mounted {
  const policies = new SoakPolicies(mount)
  const onFinish: AiProxyOptions['onFinish'] = ({ outcome, code, attempts }, { req }) => {
    const id = String(req.headers['x-request-id'])
    const told = attempts.map(({ target, status, code }) => ({ target, status, code }))
    process.send!({ ended: [id, code ? `${outcome} ${code}` : outcome, told] } satisfies Told)
  }
  return { proxy: aiProxy({ ...optionsOf(mount, target), ...policies.options, onFinish }), policies }
}

function counted({ proxy, policies }: Mounted): typeof retired {
  const { exchanges, outcomes, targets, heldBytes } = proxy.stats()
  const inFlight = targets.reduce((sum, each) => sum + each.inFlight, 0)
  return {
    exchanges,
    ended: Object.values(outcomes).reduce((sum, count) => sum + count),
    inFlight,
    bodyBytes: heldBytes,
    reserved: policies.held,
  }
}

/** Closes a middleware, which ends its exchanges, and keeps only its counts. */
async function retire(mounted: Mounted): Promise<void> {
  await mounted.proxy.close({ graceMs: 20 })
  const counts = counted(mounted)
  for (const name of Object.keys(retired) as (keyof typeof retired)[]) retired[name] += counts[name]
}

/** Sums the counts of the running middlewares. */
function sums(): typeof retired {
  const all = [...running.values()].map(counted)
  const total = (name: keyof typeof retired) => all.reduce((sum, counts) => sum + counts[name], 0)
  const names = Object.keys(retired) as (keyof typeof retired)[]
  return Object.fromEntries(names.map((name) => [name, total(name)])) as typeof retired
}

async function collectGarbage(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    global.gc!()
    // What finalizers and closing handles release is only collected the next time.
    await sleep(20)
  }
}

const api = {
  async start(url: string): Promise<number> {
    target = url
    const app = express()
    for (const mount of mountNames) {
      running.set(mount, make(mount))
      app.use(`/${mount}`, (req, res, next) => running.get(mount)!.proxy(req, res, next))
    }
    const server = http.createServer(app)
    // Only the clients close connections, so that none is closed while a request is being sent.
    server.keepAliveTimeout = 0
    server.listen(0, '127.0.0.1', 1024)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  async roll(_: null): Promise<void> {
    const old = rollingMounts.map((mount) => running.get(mount)!)
    for (const mount of rollingMounts) running.set(mount, make(mount))
    await Promise.all(old.map(retire))
  },
  /** Lets the faulty targets be asked again: they would cool for most of the soak. */
  async warm(_: null): Promise<void> {
    for (const { proxy } of running.values()) {
      if (proxy.stats().targets.some(({ name }) => name === 'faulty')) proxy.warm('faulty')
    }
  },
  async closeAll(_: null): Promise<typeof retired> {
    await Promise.all([...running.values()].map(retire))
    running.clear()
    retired.reserved += await heldInStore()
    return retired
  },
  async sample(collections: number): Promise<Omit<Sample, 'upstream'>> {
    await collectGarbage(collections)
    const { heapUsed, external } = process.memoryUsage()
    const handles: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
    const active = [...running.values()].reduce((sum, { proxy }) => sum + proxy.exchanges().length, 0)
    const { inFlight, bodyBytes, ...policies } = sums()
    const reserved = policies.reserved + (await heldInStore())
    const sockets = handles.TCPSocketWrap ?? 0
    return { heldBytes: heapUsed + external, handles, sockets, active, inFlight, bodyBytes, reserved }
  },
}

export type ProxyApi = typeof api
answerWith(api)
