import type { CacheOptions } from '../api/cache.js'
import type { Limits } from '../api/limits.js'
import type { AiProxyOptions, HeartbeatOptions } from '../api/options.js'
import type { ResumeOptions } from '../api/resume.js'
import { maxExchangesByDescriptors } from '../util/descriptors.js'

const MIB = 1024 * 1024
const MINUTE = 60_000

/**
 * The default of every option that has one, as an app would write it. Options that are missing here are unset by
 * default. A test compares these with the tables in `docs/`.
 */
export const defaults = {
  limits: {
    maxRequestBytes: 32 * MIB,
    maxDecodedRequestBytes: 8 * MIB,
    maxHeldBytes: 256 * MIB,
    maxConcurrentExchanges: maxExchangesByDescriptors(),
    maxConcurrentStreams: false,
    /** If unset, `idleTimeoutMs` applies. */
    uploadIdleTimeoutMs: 2 * MINUTE,
    firstByteTimeoutMs: 10 * MINUTE,
    firstTokenTimeoutMs: false,
    idleTimeoutMs: 2 * MINUTE,
    progressTimeoutMs: false,
    maxStreamDurationMs: 30 * MINUTE,
    maxResponseBytes: 256 * MIB,
    maxEventBytes: 64 * MIB,
    drainTimeoutMs: MINUTE,
    maxOutputTokens: false,
    terminatorGraceMs: 1000,
  } satisfies Limits,
  // Load balancers and proxies close a connection after 60 s of silence, some after 30 s.
  heartbeat: { everyMs: 15_000, beforeFirstByte: false } satisfies HeartbeatOptions,
  // A much smaller budget costs throughput, a much larger one costs everything else latency: `npm run bench` shows
  // both.
  turns: { budgetMs: 0.15 },
  onClientDisconnect: 'abort',
  resume: false,
  /** The defaults of `resume`, if it is on. */
  resumeOptions: { windowMs: 5 * MINUTE, graceMs: MINUTE, maxBytes: MIB },
  cache: false,
  /** The defaults of `cache`, if it is on. */
  cacheOptions: { pace: 'instant', toolCalls: false, maxBytes: MIB },
  joinIdentical: false,
  errors: 'respond',
  includeUsage: true,
  overload: false,
  models: 'all',
  warnings: true,
  proxy: { fromEnv: false, secure: true, xfwd: false, changeOrigin: true, fastPath: true },
  balance: 'weighted',
  sticky: false,
  /** The defaults of `sticky`, if it is on. */
  stickyOptions: { ttlMs: 5 * MINUTE },
  retry: {
    attempts: 3,
    backoffMs: [250, 4000],
    maxWaitMs: 10_000,
    withinMs: 30_000,
    preamble: { events: 64, bytes: 256 * 1024, ms: 2000 },
  },
  hedge: false,
  whenAllCooling: 'try',
  showAlias: false,
  /** The default of `close({ graceMs })`. */
  close: { graceMs: 10_000 },
} as const satisfies Partial<AiProxyOptions> & {
  close: { graceMs: number }
  stickyOptions: { ttlMs: number }
  resumeOptions: Partial<ResumeOptions>
  cacheOptions: Partial<CacheOptions>
}
