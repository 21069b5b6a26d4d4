import type { AiProxyOptions } from '../../lib/index.js'
import { memoryJournal } from '../../lib/journal.js'
import { targetUrl } from './targets.js'

/** Middlewares of one app, each with the options that are needed to hit some limit within seconds. */
const mounts = {
  plain: {},
  /** Closed while its streams run, and replaced by a new one, again and again. */
  rolling: {},
  small: { limits: { maxRequestBytes: 20_000 } },
  impatient: { limits: { firstByteTimeoutMs: 1500 } },
  restless: { limits: { idleTimeoutMs: 1500 } },
  short: { limits: { maxStreamDurationMs: 1500 } },
  narrow: { limits: { maxResponseBytes: 20_000, maxEventBytes: 5_000 } },
  strict: { limits: { drainTimeoutMs: 300 } },
  drained: { onClientDisconnect: 'drain' },
  early: { heartbeat: { everyMs: 200, beforeFirstByte: true } },
  /** Its quota is used up. */
  spent: {},
  /** Its quota ends streams. */
  metered: {},
  /** Few at once: the others wait. */
  queued: { heartbeat: { everyMs: 200, beforeFirstByte: true } },
  /** Its streams can be continued, for a moment. */
  kept: { resume: { journal: memoryJournal({ maxBytes: 2 ** 25 }), windowMs: 4000, graceMs: 2000 } },
  /** Nothing listens at this address. */
  away: { target: 'http://127.0.0.1:9' },
} satisfies Record<string, Partial<AiProxyOptions>>

interface RoutedMount extends Omit<AiProxyOptions, 'target' | 'targets'> {
  /** Names of its targets. */
  readonly names: readonly string[]
  /** Whether they are asked in this order. */
  readonly inOrder: boolean
}

const pair = { names: ['faulty', 'healthy'], inOrder: true } as const

/** Tries are soon repeated: a soak is short. */
const retry = { backoffMs: [20, 200] } as const

/** Those with several targets. */
const routedMounts = {
  fallback: { ...pair, retry },
  hurried: { ...pair, retry, limits: { firstTokenTimeoutMs: 4000 } },
  hedged: { ...pair, retry, hedge: { afterMs: 300 } },
  /** Closed and replaced, like `rolling`. */
  rerouting: { ...pair, retry },
  /** Each target but one fails, and may fail twice. */
  mixed: {
    names: ['failing', 'slow', 'dying', 'healthy'],
    inOrder: false,
    // All requests of the soak would have the same key.
    sticky: false,
    retry: { ...retry, attempts: 7 },
    limits: { firstTokenTimeoutMs: 4000 },
  },
} satisfies Record<string, RoutedMount>

export type Mount = keyof typeof mounts | keyof typeof routedMounts

export const mountNames = [...Object.keys(mounts), ...Object.keys(routedMounts)] as readonly Mount[]

/** Closed while their exchanges run. */
export const rollingMounts = ['rolling', 'rerouting'] as const satisfies readonly Mount[]

/** @param url of the provider */
export function optionsOf(mount: Mount, url: string): AiProxyOptions {
  const routed: RoutedMount | undefined = mount in routedMounts ? routedMounts[mount as 'mixed'] : undefined
  if (!routed) return { target: url, ...mounts[mount as keyof typeof mounts] }
  const { names, inOrder, ...options } = routed
  const targets = names.map((name, at) => ({ name, target: targetUrl(url, name), priority: inOrder ? at : 0 }))
  return { ...options, targets }
}
