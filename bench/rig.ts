/** What every measurement needs: provider, load, probe and chat, which live for the whole run. */
import type { ChildProcess } from 'node:child_process'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatApi } from './chat'
import { Child, start } from './children'
import { cores } from './cores'
import type { LoadApi } from './load'
import type { ProbeApi } from './probe'
import type { ProviderApi } from './provider'
import type { Api } from './rpc'
import type { RunningProxy } from './running-proxy'
import { PATHS } from './wire'

export interface Rig {
  provider: Child<ProviderApi>
  providerPort: number
  load: Child<LoadApi>
  probe: Child<ProbeApi>
  chat: Child<ChatApi>
}

function startTypeScript<A extends Api>(core: number | undefined, file: string): Child<A> {
  return new Child<A>(start(core, [process.execPath, '--import', 'tsx', file], true))
}

/** Starts them, and warms up the code of the load and the provider before anything is measured. */
export async function startRig(): Promise<Rig> {
  const provider = startTypeScript<ProviderApi>(cores.load, require.resolve('./provider.ts'))
  const load = startTypeScript<LoadApi>(cores.load, require.resolve('./load.ts'))
  const probe = startTypeScript<ProbeApi>(cores.probe, require.resolve('./probe.ts'))
  const chat = startTypeScript<ChatApi>(cores.probe, require.resolve('./chat.ts'))
  prefer([probe, chat], [provider, load])
  const port = await provider.ask('listen', null)
  await load.ask('verify', { port, path: PATHS.provider })
  await load.ask('small', { port, path: PATHS.provider, clients: 32, forMs: 500 })
  return { provider, providerPort: port, load, probe, chat }
}

/** The processes that measure time share their core with the load: they need little of it, but without delay. */
function prefer(these: { process: ChildProcess }[], others: { process: ChildProcess }[]): void {
  try {
    for (const one of these) setPriority(one.process.pid!, -20)
  } catch {
    // Only root may raise a priority; anyone may lower one.
    for (const other of others) setPriority(other.process.pid!, 5)
  }
}

export async function stopRig(rig: Rig): Promise<void> {
  await Promise.all([rig.provider, rig.load, rig.probe, rig.chat].map((child) => child.stop()))
}

/** Polls until `isSo` returns true. Returns false if it does not within `timeoutMs`. */
export async function until(isSo: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; ) {
    if (await isSo()) return true
    await sleep(20)
  }
  return false
}

/** Starts measuring a proxy's CPU time. Call the returned function to end it. At 100 % the proxy's core was the limit. */
export async function usageFrom(proxy: RunningProxy) {
  const before = await proxy.cpuMicros()
  const startedAt = performance.now()
  return async () => {
    const cpuMicros = (await proxy.cpuMicros()) - before
    return { cpuMicros, cpuPercent: cpuMicros / 10 / (performance.now() - startedAt) }
  }
}
