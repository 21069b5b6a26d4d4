import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { prompt } from './running-app.js'

const root = path.join(__dirname, '../..')
const noKeys = { OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '', GEMINI_API_KEY: '' }
const noCurl = spawnSync('curl', ['--version']).error ? 'curl is not installed' : false

test('the printed curl command works as printed', { skip: noCurl }, async (t) => {
  const printed = await printedLine(start(t, { PORT: '0' }), /curl -N/)
  const curl = spawn('sh', ['-c', `${printed.slice(printed.indexOf('curl'))} -s`])
  const answer = await text(curl)
  assert.match(answer, /^data: \{"id"/)
  assert.match(answer, /data: \[DONE\]\n\n$/)
})

test('a running answer completes on SIGTERM, then the process exits with 0', async (t) => {
  const app = start(t, { PORT: '0' })
  const url = new URL((await printedLine(app, /Chat/)).replace(/.*Chat\s+/, '')).origin
  const response = await fetch(`${url}/ai/v1/chat/completions`, prompt('Hello!', 'last'))

  const ended = once(app, 'exit')
  app.kill('SIGTERM')
  assert.match(await response.text(), /data: \[DONE\]\n\n$/)
  assert.deepEqual(await ended, [0, null])
})

test('a port in use is reported with the fix', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as { port: number }

  const app = start(t, { PORT: String(port) })
  const [[code], complaint] = await Promise.all([once(app, 'exit'), text(app, 'stderr')])
  assert.equal(code, 1)
  assert.match(complaint, new RegExp(`^Port ${port} is taken\\. Choose another: PORT=3001 npm start`))
})

test('an invalid PORT is reported with the fix', async (t) => {
  const app = start(t, { PORT: 'three' })
  const [[code], complaint] = await Promise.all([once(app, 'exit'), text(app, 'stderr')])
  assert.equal(code, 1)
  assert.equal(complaint, 'PORT must be a number from 0 to 65535, not "three".\n')
})

function start(t: TestContext, env: NodeJS.ProcessEnv): ChildProcess {
  const app = spawn(process.execPath, ['--import', 'tsx', 'example-app/server.ts'], {
    cwd: root,
    env: { ...process.env, ...noKeys, AI_TARGET: '', AI_MODEL: '', HOST: '', REDIS_URL: '', ...env },
  })
  t.after(() => app.kill('SIGKILL'))
  return app
}

/** The first line of the app's output that matches. */
async function printedLine(app: ChildProcess, wanted: RegExp): Promise<string> {
  const { stdout } = app
  assert.ok(stdout)
  for await (const line of createInterface(stdout)) {
    if (wanted.test(line)) {
      stdout.resume()
      return line
    }
  }
  throw new Error(`The app ended before it printed ${wanted}.`)
}

async function text(child: ChildProcess, from: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
  const stream = child[from]
  assert.ok(stream)
  let all = ''
  for await (const chunk of stream.setEncoding('utf8')) all += chunk
  return all
}
