import { type ChildProcess, fork } from 'node:child_process'
import type { AiProxyStats, ExchangeRecord } from '../../../lib/index.js'
import { post } from '../support/client.js'
import { type Owner, type Provider, startProvider } from '../support/provider.js'
import { Queue, within } from '../support/waiting.js'

type ToldRecord = Pick<ExchangeRecord, 'id' | 'outcome' | 'code' | 'path' | 'model' | 'status' | 'downstreamBytes'>
type ToldStats = AiProxyStats & { readonly pid: number }

/** What the app tells, each message one of these. */
interface Told {
  ready?: { port: number; pid: number }
  record?: ToldRecord
  log?: string
  closing?: number
  stats?: ToldStats
  /** Of a cluster: how its workers ended. */
  exits?: { pid: number; code: number | null; signal: string | null }[]
}

/** The app of this folder in a process of its own, with the providers that it needs. */
export interface LegacyApp {
  readonly port: number
  readonly url: string
  readonly child: ChildProcess
  readonly openai: Provider
  readonly claude: Provider
  /** The service that the app asks who calls: it knows `ann`, and says nothing of `slow` until the test does. */
  readonly users: Provider
  readonly records: Queue<ToldRecord>
  readonly logs: Queue<string>
  readonly closing: Queue<number>
  readonly exits: Queue<NonNullable<Told['exits']>>
  /** The statistics of as many processes as there are. */
  stats(): Promise<ToldStats[]>
  /** The exit code, or the signal that ended it; and all that it had to complain of. */
  readonly over: Promise<{ code: number | null; signal: string | null; complaints: string }>
}

export async function startLegacyApp(
  t: Owner,
  file: 'app' | 'cluster' = 'app',
  settings: { GRACE_MS?: string; MAX_STREAMS?: string } = {},
): Promise<LegacyApp> {
  const [openai, claude] = [await startProvider(t), await startProvider(t)]
  const users = await startProvider(t, {
    onCall: (call) => {
      if (call.url === '/users/ann') call.json(200, { name: 'Ann' })
      else if (call.url !== '/users/slow') call.json(404, {})
    },
  })
  const urls = { OPENAI_URL: openai.url, CLAUDE_URL: claude.url, USERS_URL: users.url }
  const entry = file === 'app' ? require.resolve('./app.cjs') : require.resolve('./cluster.cjs')
  // Without the loader that this process has: the app is plain JavaScript, and takes the package as it is built.
  const child = fork(entry, {
    execArgv: [],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', GRACE_MS: '60000', ...urls, ...settings },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  let complaints = ''
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    complaints += text
  })
  const told = {
    ready: new Queue<NonNullable<Told['ready']>>('the app, ready'),
    record: new Queue<ToldRecord>('a record of the app'),
    log: new Queue<string>('a line of the log'),
    closing: new Queue<number>('word that the app closes'),
    stats: new Queue<ToldStats>('statistics'),
    exits: new Queue<NonNullable<Told['exits']>>('the ends of the workers'),
  }
  child.on('message', (message: Told) => {
    for (const [kind, what] of Object.entries(message)) told[kind as keyof Told].push(what as never)
  })
  const gone = new Promise<Awaited<LegacyApp['over']>>((resolve) => {
    // `close` comes when nothing more will be told, on any of its channels.
    child.once('close', (code, signal) => resolve({ code, signal, complaints }))
  })
  const processes = file === 'app' ? 1 : 2
  const failed = gone.then(({ complaints }) => Promise.reject(new Error(`the app ended: ${complaints}`)))
  failed.catch(() => {})
  let port = 0
  for (let n = 0; n < processes; n++) ({ port } = await Promise.race([told.ready.next(), failed]))
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    child,
    openai,
    claude,
    users,
    records: told.record,
    logs: told.log,
    closing: told.closing,
    exits: told.exits,
    async stats() {
      child.send('stats')
      return Promise.all(Array.from({ length: processes }, () => told.stats.next()))
    },
    get over() {
      return within(gone, 'the end of the process')
    },
  }
}

/** Signs in, as a browser does. @returns the cookies to send from then on */
export async function signIn(url: string, user = 'ann'): Promise<string> {
  const response = await post(`${url}/login`, { user })
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ')
}
