import type { AiProxyOptions } from '../../lib/index.js'

/** Middlewares of one app, each with the options that are needed to hit some limit within seconds. */
export const mounts = {
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
  /** Nothing listens at this address. */
  away: { target: 'http://127.0.0.1:9' },
} satisfies Record<string, Partial<AiProxyOptions>>

export type Mount = keyof typeof mounts
