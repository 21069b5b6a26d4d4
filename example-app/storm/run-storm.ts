/** Runs a storm: the same load on one proxy and then on the other, each in processes of its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, ChildProcesses } from './child-processes.js'
import { HealthProbe, type Probe } from './health-probe.js'
import {
  type ClientsCommand,
  type ClientsState,
  type Contender,
  type ContenderState,
  contenders,
  type Kind,
  type ProviderState,
  providerNames,
  type Tally,
} from './messages.js'
import { Rates } from './rates.js'

/** What a storm is to be. */
export interface StormOptions {
  kind: Kind
  /** How many clients run a stream each. */
  streams: number
  /** How long the load lasts, after a second of calm. */
  seconds: number
}

type Send = (event: 'starting' | 'sample' | 'result', data: object) => void

/** The programs of the child processes. */
const programs = {
  provider: require.resolve('./provider.child.ts'),
  contender: require.resolve('./contender.child.ts'),
  clients: require.resolve('./clients.child.ts'),
}

const CALM_MS = 1000
const SAMPLE_EVERY_MS = 100
/** How long to wait for answers of `/health` that are missing at the end. */
const LATE_ANSWER_MS = 5000
/** Over how long the rates of an outage are averaged. */
const RATE_WINDOW_MS = 500

/**
 * Runs a storm until its end, and reports through `send` how it goes.
 *
 * @throws if `signal` is aborted, or if a process ends by itself
 */
export async function runStorm(options: StormOptions, send: Send, signal: AbortSignal): Promise<void> {
  for (const contender of contenders) {
    signal.throwIfAborted()
    send('starting', { contender })
    const children = new ChildProcesses()
    const ending = AbortSignal.any([signal, children.failed])
    try {
      const processes = await startProcesses(contender, options.kind, children, ending)
      send('result', { contender, ...(await applyLoad(contender, options, processes, send, ending)) })
    } catch (error) {
      throw children.failed.aborted ? children.failed.reason : error
    } finally {
      await children.stop()
    }
  }
}

interface Processes {
  url: string
  /** The first provider, or the only one. */
  provider: Child<ProviderState>
  proxy: Child<ContenderState>
  clients: Child<ClientsState, ClientsCommand>
}

async function startProcesses(
  contender: Contender,
  kind: Kind,
  children: ChildProcesses,
  signal: AbortSignal,
): Promise<Processes> {
  const start = <State, Message extends object = never>(name: keyof typeof programs, ...args: string[]) =>
    children.start<State, Message>(programs[name], args, signal)

  const [clients, ...providers] = await Promise.all([
    start<ClientsState, ClientsCommand>('clients'),
    ...providerNames.slice(0, kind === 'outage' ? 2 : 1).map((name) => start<ProviderState>('provider', name)),
  ])
  const targets = providers.map(({ state }) => `http://127.0.0.1:${state.port}`)
  const proxy = await start<ContenderState>('contender', contender, ...targets)
  const url = `http://127.0.0.1:${proxy.state.port}`
  clients.send({ command: 'warm-up', url })
  while (!clients.state.isWarm) await sleep(SAMPLE_EVERY_MS, undefined, { signal })
  return { url, provider: providers[0]!, proxy, clients }
}

/** Waits a second for the baseline, then applies the load. */
async function applyLoad(
  contender: Contender,
  options: StormOptions,
  processes: Processes,
  send: Send,
  signal: AbortSignal,
) {
  const { url, provider, proxy, clients } = processes
  const { kind, streams } = options
  const startedAt = performance.now() + CALM_MS
  const now = () => performance.now() - startedAt
  const endMs = options.seconds * 1000
  const isOver = () => now() >= endMs

  const health = new HealthProbe(url, now)
  const memory: number[] = []
  const rates = new Rates(['first', 'second', 'error'], RATE_WINDOW_MS)
  let sent = 0
  const sample = () => {
    const probes = health.probes.slice(sent)
    sent += probes.length
    memory.push(proxy.state.rssBytes)
    const { generating } = provider.state
    const { tally } = clients.state
    const perSecond = tally && !tally.isFinishing ? rates.add(now(), tally) : undefined
    send('sample', { contender, at: now(), probes, rssBytes: proxy.state.rssBytes, generating, perSecond })
  }
  const sampleUntil = async (isDone: () => boolean) => {
    while (!isDone()) {
      await sleep(SAMPLE_EVERY_MS, undefined, { signal })
      sample()
    }
  }

  try {
    await sampleUntil(() => now() >= 0)
    clients.send({ command: 'start', url, kind, streams })
    let leftAt: number | undefined
    if (kind === 'leave') {
      await sampleUntil(() => now() >= endMs / 2)
      leftAt = Date.now()
      clients.send({ command: 'leave' })
    }
    if (kind === 'outage') {
      await sampleUntil(() => now() >= endMs / 2)
      await provider.kill()
    }
    await sampleUntil(isOver)
    const { receivedBytes } = clients.state
    // What is under way may still be answered.
    health.stopAsking()
    clients.send({ command: 'finish' })
    const isWaiting = () => health.waiting > 0 || (kind === 'outage' && isAsking(clients.state.tally))
    await sampleUntil(() => !isWaiting() || now() > endMs + LATE_ANSWER_MS)

    const { generating, idleSince } = provider.state
    return {
      latency: latencyOf(health.probes.filter(([sentAt]) => sentAt >= 0)),
      unanswered: health.waiting,
      memoryBefore: memory[0],
      memoryPeak: Math.max(...memory),
      megabytesPerSecond: receivedBytes / 1e6 / options.seconds,
      stoppedAfterMs: leftAt !== undefined && generating === 0 ? Math.max(0, idleSince - leftAt) : undefined,
      generating,
      clients: clients.state,
    }
  } finally {
    health.close()
  }
}

/** Whether requests are under way, or may still be made. */
function isAsking(tally: Tally | undefined): boolean {
  return !tally?.isFinishing || tally.underWay > 0
}

function latencyOf(probes: Probe[]) {
  const sorted = probes.map(([, tookMs]) => tookMs).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { median: at(0.5), p99: at(0.99), worst: sorted.at(-1) }
}
