/** nginx as a contender: one process, no buffering, keep-alive to the provider, no log. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { start, stop } from './children'
import { cores } from './cores'
import { cpuMicrosOf } from './machine'
import type { RunningProxy } from './running-proxy'

let folder: string | undefined

/** The folder for everything that nginx writes; removed when the benchmark ends. */
function temporaryFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'bench-nginx-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  return folder
}

export function hasNginx(): boolean {
  return spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status === 0
}

export async function startNginx(providerPort: number): Promise<RunningProxy> {
  const port = await freePort()
  const folder = temporaryFolder()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, config(folder, port, providerPort))
  const child = start(cores.proxy, ['nginx', '-p', folder, '-c', file, '-e', 'stderr'], false)
  await untilItListens(port)
  return {
    port,
    cpuMicros: async () => cpuMicrosOf(child.pid!),
    outputTokens: async () => null,
    async memory() {
      return {
        rss: Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
        held: Number.NaN,
      }
    },
    stop: () => stop(child),
  }
}

/** `master_process off` leaves a single process, so that its CPU time and memory are easy to read. */
function config(folder: string, port: number, providerPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  keepalive_requests 1000000000;
  upstream provider {
    server 127.0.0.1:${providerPort};
    keepalive 5000;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location = /health { return 200 'ok'; }
    location /ai/ {
      proxy_pass http://provider/;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilItListens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const socket = connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await sleep(20)
  }
  throw new Error('nginx does not listen')
}
