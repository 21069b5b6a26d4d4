import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from './free-port.js'

/** Why tests that need Redis do not run here; `false` if it is installed. */
export const withoutRedis: string | false = (() => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'redis-server is not installed: apt-get install redis-server'
  }
})()

/** A Redis server of a test. */
export interface RedisServer {
  readonly port: number
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again, on the same port, with nothing in it. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts a Redis server on a free port. @param args further arguments */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'ai-proxy-redis-'))
  let child: ChildProcess
  const start = async () => {
    const fixed = ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder, '--bind', '127.0.0.1']
    child = spawn('redis-server', [...fixed, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    let isReady = false
    const said: string[] = []
    for await (const line of createInterface({ input: child.stdout! })) {
      said.push(line)
      isReady = line.includes('Ready to accept connections')
      if (isReady) break
    }
    if (!isReady) throw new Error(`Redis did not start on port ${port}:\n${said.join('\n')}`)
    // What it prints later must not fill the pipe.
    child.stdout!.resume()
  }
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  await start()
  return {
    port,
    kill,
    restart: async () => {
      await kill()
      await start()
    },
    stop: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
