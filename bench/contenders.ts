/** The proxies that are compared. Each measurement starts a new process. */
import { spawnSync } from 'node:child_process'
import { Child, start } from './children'
import { cores } from './cores'
import { hasNginx, startNginx } from './nginx'
import type { RunningProxy } from './running-proxy'

type ServeApi = {
  port(input: null): number
  cpuMicros(input: null): number
  outputTokens(input: null): number | null
  memory(input: null): { rss: number; held: number }
}

/** The contenders that run in Node, each in its own file. */
export const nodeContenders = {
  ours: require.resolve('./contenders/ours.cjs'),
  plain: require.resolve('./contenders/plain.cjs'),
  pipe: require.resolve('./contenders/pipe.cjs'),
  fetch: require.resolve('./contenders/fetch.cjs'),
  sdk: require.resolve('./contenders/sdk.cjs'),
  hooked: require.resolve('./contenders/hooked.cjs'),
  routed: require.resolve('./contenders/routed.cjs'),
  cooled: require.resolve('./contenders/cooled.cjs'),
  refused: require.resolve('./contenders/refused.cjs'),
  quota: require.resolve('./contenders/quota.cjs'),
  'quota-redis': require.resolve('./contenders/quota-redis.cjs'),
  tenants: require.resolve('./contenders/tenants.cjs'),
  resume: require.resolve('./contenders/resume.cjs'),
  'resume-redis': require.resolve('./contenders/resume-redis.cjs'),
  cached: require.resolve('./contenders/cached.cjs'),
  joined: require.resolve('./contenders/joined.cjs'),
}

export type Contender = keyof typeof nodeContenders | 'nginx'

/** Variants of ours, which take part only if they are named. */
export const variants = [
  ...(['hooked', 'routed', 'cooled', 'refused', 'quota', 'quota-redis', 'tenants'] as const),
  ...(['resume', 'resume-redis', 'cached', 'joined'] as const),
] as const

export type Variant = (typeof variants)[number]

/** All contenders, in the order of the report. */
export const contenders: Contender[] = ['ours', 'plain', 'pipe', 'fetch', 'sdk', 'nginx', ...variants]

/** The contenders that take part by default. */
export const usualContenders = contenders.filter((contender) => !variants.some((variant) => variant === contender))

function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

/** Returns why a contender cannot run on this machine, or undefined if it can. */
export function whyNot(contender: Contender): string | undefined {
  if (contender.endsWith('-redis') && !hasRedis()) return 'redis-server is not installed'
  return contender === 'nginx' && !hasNginx() ? 'nginx is not installed' : undefined
}

/** Starts a contender in front of the provider at `providerPort`, on the proxy's core. */
export async function startContender(contender: Contender, providerPort: number): Promise<RunningProxy> {
  if (contender === 'nginx') return startNginx(providerPort)
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    NODE_OPTIONS: '',
    BENCH_TARGET: `http://127.0.0.1:${providerPort}`,
    BENCH_OTHER_CORE: String(cores.load ?? ''),
  }
  const command = [process.execPath, '--expose-gc', nodeContenders[contender]]
  const child = new Child<ServeApi>(start(cores.proxy, command, true, env))
  return {
    port: await child.ask('port', null),
    cpuMicros: () => child.ask('cpuMicros', null),
    outputTokens: () => child.ask('outputTokens', null),
    memory: () => child.ask('memory', null),
    stop: () => child.stop(),
  }
}
