import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../support/free-port.js'
import type { Owner } from '../support/provider.js'

// Debian's package puts it where only root's PATH looks.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }

export const hasNginx = spawnSync('nginx', ['-v'], { stdio: 'ignore', env }).status === 0

/**
 * The `nginx.conf` of Debian's package, and a site as they are written: `proxy_pass` with the usual headers. Nothing
 * is said of buffering, which is on by default.
 */
function config(folder: string, port: number, appPort: number, more: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  default_type application/octet-stream;
  access_log off;
  gzip on;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${appPort};
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      ${more}
    }
  }
}
`
}

/** nginx in front of an app. @returns its port */
export async function startNginx(t: Owner, appPort: number, more = ''): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'legacy-nginx-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  // nginx cannot choose a port itself, and between the choice and its start somebody may take the port away.
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort()
    const file = join(folder, 'nginx.conf')
    await writeFile(file, config(folder, port, appPort, more))
    const child = spawn('nginx', ['-p', folder, '-c', file, '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    })
    let complaints = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      complaints += text
    })
    const gone = once(child, 'close')
    t.after(async () => {
      child.kill('SIGTERM')
      await gone
    })
    const isUp = await Promise.race([listens(port), gone.then(() => false)])
    if (isUp) return port
    if (!complaints.includes('Address already in use')) throw new Error(`nginx does not start: ${complaints}`)
  }
  throw new Error('nginx found no port')
}

/** Knocks until somebody answers. */
async function listens(port: number): Promise<boolean> {
  for (const end = performance.now() + 10_000; performance.now() < end; await sleep(10)) {
    const socket = net.connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return true
  }
  return false
}
