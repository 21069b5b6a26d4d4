/** A storm: the same load, first upon one proxy, then upon the other, each in processes of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, Children } from './child.js'
import { HealthProbe, type Probe } from './health-probe.js'
import {
  type Contender,
  type ContenderState,
  type CrowdState,
  contenders,
  type Kind,
  type ProviderState,
  type ToCrowd,
} from './wire.js'

export interface StormOrder {
  kind: Kind
  streams: number
  seconds: number
}

type Send = (event: 'starting' | 'sample' | 'result', data: object) => void

/** What its child processes run. */
const programs = {
  provider: require.resolve('./provider.child.ts'),
  contender: require.resolve('./contender.child.ts'),
  crowd: require.resolve('./crowd.child.ts'),
}

const CALM_MS = 1000
const SAMPLE_EVERY_MS = 100
/** How long an answer is waited for that is late at the end. */
const PATIENCE_MS = 5000

/** Runs a storm and tells how it goes, until its end or until `signal` is aborted. */
export async function storm(order: StormOrder, send: Send, signal: AbortSignal): Promise<void> {
  for (const contender of contenders) {
    signal.throwIfAborted()
    send('starting', { contender })
    const children = new Children()
    const ending = AbortSignal.any([signal, children.failed])
    try {
      const scene = await setUp(contender, children, ending)
      send('result', { contender, ...(await blow(contender, order, scene, send, ending)) })
    } catch (error) {
      throw children.failed.aborted ? children.failed.reason : error
    } finally {
      await children.stop()
    }
  }
}

interface Scene {
  url: string
  provider: Child<ProviderState>
  proxy: Child<ContenderState>
  crowd: Child<CrowdState, ToCrowd>
}

async function setUp(contender: Contender, children: Children, signal: AbortSignal): Promise<Scene> {
  const start = <State, Message extends object = never>(name: keyof typeof programs, ...args: string[]) =>
    children.start<State, Message>(programs[name], args, signal)

  const [crowd, provider] = await Promise.all([start<CrowdState, ToCrowd>('crowd'), start<ProviderState>('provider')])
  const target = `http://127.0.0.1:${provider.state.port}`
  const proxy = await start<ContenderState>('contender', contender, target)
  const url = `http://127.0.0.1:${proxy.state.port}`
  crowd.say({ say: 'warm up', url })
  while (!crowd.state.isWarm) await sleep(SAMPLE_EVERY_MS, undefined, { signal })
  return { url, provider, proxy, crowd }
}

/** A second of calm, then the storm. */
async function blow(contender: Contender, order: StormOrder, scene: Scene, send: Send, signal: AbortSignal) {
  const { url, provider, proxy, crowd } = scene
  const { kind, streams } = order
  const startedAt = performance.now() + CALM_MS
  const now = () => performance.now() - startedAt
  const endMs = order.seconds * 1000
  const isOver = () => now() >= endMs

  const health = new HealthProbe(url, now)
  const memory: number[] = []
  let sent = 0
  const sample = () => {
    const probes = health.probes.slice(sent)
    sent += probes.length
    memory.push(proxy.state.rssBytes)
    const { generating } = provider.state
    send('sample', { contender, at: now(), probes, rssBytes: proxy.state.rssBytes, generating })
  }
  const sampleUntil = async (isTime: () => boolean) => {
    while (!isTime()) {
      await sleep(SAMPLE_EVERY_MS, undefined, { signal })
      sample()
    }
  }

  try {
    await sampleUntil(() => now() >= 0)
    crowd.say({ say: 'go', url, kind, streams })
    let leftAt: number | undefined
    if (kind === 'leave') {
      await sampleUntil(() => now() >= endMs / 2)
      leftAt = Date.now()
      crowd.say({ say: 'leave' })
    }
    await sampleUntil(isOver)
    const { receivedBytes } = crowd.state
    // Who has been asked still answers, perhaps.
    health.stopAsking()
    await sampleUntil(() => health.waiting === 0 || now() > endMs + PATIENCE_MS)

    const { generating, idleSince } = provider.state
    return {
      latency: latencyOf(health.probes.filter(([sentAt]) => sentAt >= 0)),
      unanswered: health.waiting,
      memoryBefore: memory[0],
      memoryPeak: Math.max(...memory),
      megabytesPerSecond: receivedBytes / 1e6 / order.seconds,
      stoppedAfterMs: leftAt !== undefined && generating === 0 ? Math.max(0, idleSince - leftAt) : undefined,
      generating,
      crowd: crowd.state,
    }
  } finally {
    health.close()
  }
}

function latencyOf(probes: Probe[]) {
  const sorted = probes.map(([, tookMs]) => tookMs).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { median: at(0.5), p99: at(0.99), worst: sorted.at(-1) }
}
