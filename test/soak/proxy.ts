/** The process that is watched: an app with all the mounts, and nothing else that could grow. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { answerWith } from '../../bench/rpc.js'
import { type AiProxy, type AiProxyOptions, aiProxy } from '../../lib/index.js'
import { type Mount, mounts } from './mounts.js'
import type { Sample } from './sample.js'

/** Reported for each exchange without a question: its `x-request-id` and its outcome. */
export interface Told {
  ended: [id: string, end: string]
}

const running = new Map<Mount, AiProxy>()
/** The counts of closed middlewares. */
const retired = { exchanges: 0, ended: 0 }
let target = ''

function make(mount: Mount): AiProxy {
  const onFinish: AiProxyOptions['onFinish'] = ({ outcome, code }, { req }) => {
    const id = String(req.headers['x-request-id'])
    process.send!({ ended: [id, code ? `${outcome} ${code}` : outcome] } satisfies Told)
  }
  return aiProxy({ target, ...mounts[mount], onFinish })
}

function counted(proxy: AiProxy): typeof retired {
  const { exchanges, outcomes } = proxy.stats()
  return { exchanges, ended: Object.values(outcomes).reduce((sum, count) => sum + count) }
}

/** Closes a middleware, which ends its exchanges, and keeps only its counts. */
async function retire(proxy: AiProxy): Promise<void> {
  await proxy.close({ graceMs: 20 })
  const { exchanges, ended } = counted(proxy)
  retired.exchanges += exchanges
  retired.ended += ended
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
    for (const mount of Object.keys(mounts) as Mount[]) {
      running.set(mount, make(mount))
      app.use(`/${mount}`, (req, res, next) => running.get(mount)!(req, res, next))
    }
    const server = http.createServer(app)
    // Only the clients close connections, so that none is closed while a request is being sent.
    server.keepAliveTimeout = 0
    server.listen(0, '127.0.0.1', 1024)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  async roll(_: null): Promise<void> {
    const old = running.get('rolling')!
    running.set('rolling', make('rolling'))
    await retire(old)
  },
  async closeAll(_: null): Promise<typeof retired> {
    await Promise.all([...running.values()].map(retire))
    running.clear()
    return retired
  },
  async sample(collections: number): Promise<Omit<Sample, 'upstream'>> {
    await collectGarbage(collections)
    const { heapUsed, external } = process.memoryUsage()
    const handles: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
    const active = [...running.values()].reduce((sum, proxy) => sum + proxy.exchanges().length, 0)
    return { heldBytes: heapUsed + external, handles, sockets: handles.TCPSocketWrap ?? 0, active }
  },
}

export type ProxyApi = typeof api
answerWith(api)
