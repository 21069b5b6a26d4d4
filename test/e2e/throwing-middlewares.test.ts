import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import type { Express, Response } from 'express'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'

const path = `/ai${openai.path}`
const json = { 'content-type': 'application/json' }
const saidError = 'data: {"error":{"message":"of the provider","type":"server_error"}}\n\n'

interface Answer {
  readonly method?: string
  readonly request: Record<string, unknown>
  readonly act: (call: Call) => unknown
}

/** Wraps the response of each request that carries `x-wrap`. */
const wrapping = (wrap: (res: Response) => void) => ({
  before: (app: Express) => {
    app.use((req, res, next) => {
      if (req.headers['x-wrap']) wrap(res)
      next()
    })
  },
})

const answers: Record<string, Answer> = {
  'an empty 202': { request: { model: 'm' }, act: (call) => call.res.writeHead(202, { 'content-length': '0' }).end() },
  'an empty 202 in chunks': { request: { model: 'm' }, act: (call) => call.res.writeHead(202).end() },
  'a 204': { request: { model: 'm' }, act: (call) => call.res.writeHead(204).end() },
  'the answer to a HEAD': {
    method: 'HEAD',
    request: {},
    act: (call) => call.res.writeHead(200, { ...json, 'content-length': '9' }).end(),
  },
  'a JSON answer': { request: { model: 'm' }, act: (call) => call.json(200, { ok: 1 }) },
  'a stream': { request: openai.request, act: (call) => call.sse(['data: 1\n\n']).end() },
}

describe('a middleware whose writeHead throws', () => {
  for (const [what, { method = 'POST', request, act }] of Object.entries(answers)) {
    const url = method === 'HEAD' ? '/ai/v1/models' : path
    const headers = { ...(method === 'POST' && json), 'x-wrap': '1' }
    const body = method === 'POST' ? JSON.stringify(request) : undefined

    test(`on every call, for ${what}: the connection is cut, and nothing crashes or hangs`, async (t) => {
      const provider = await startProvider(t, { onCall: act })
      const around = wrapping((res) => {
        res.writeHead = () => {
          throw new Error('no head')
        }
      })
      const app = await startApp(t, { target: provider.url }, around)
      app.server.keepAliveTimeout = 0
      const client = (await connect(t, app.port)).request(method, url, headers, body)
      assert.equal(await client.end(), '')
      const { outcome, code } = await app.record()
      assert.deepEqual({ outcome, code }, { outcome: 'rejected', code: 'internal_error' })
      assert.deepEqual(app.proxy.exchanges(), [])
      const next = (await connect(t, app.port)).request(method, url, { ...headers, 'x-wrap': '' }, body)
      await next.sees(/^HTTP\/1\.1 20\d /)
      assert.equal((await app.record()).outcome, 'completed')
    })

    test(`for ${what} only: 500`, async (t) => {
      const provider = await startProvider(t, { onCall: act })
      const around = wrapping((res) => {
        const writeHead = res.writeHead.bind(res) as (status: number) => Response
        res.writeHead = (status: number) => {
          if (status < 300) throw new Error('no such head')
          return writeHead(status)
        }
      })
      const app = await startApp(t, { target: provider.url }, around)
      const client = (await connect(t, app.port)).request(method, url, headers, body)
      const answer = await client.sees(method === 'HEAD' ? '\r\n\r\n' : /\r\n\r\n.*\}/)
      assert.match(answer, /^HTTP\/1\.1 500 /)
      assert.ok(!answer.includes('no such head'))
      if (method === 'POST') {
        assert.equal(openai.errorIn(JSON.parse(answer.split('\r\n\r\n')[1]!)).code, 'internal_error')
      }
      const { outcome, code, status } = await app.record()
      assert.deepEqual({ outcome, code, status }, { outcome: 'rejected', code: 'internal_error', status: 500 })
      assert.deepEqual(app.proxy.exchanges(), [])
    })
  }
})

describe('a middleware whose end throws', () => {
  const ways: Record<string, Answer & { options?: Partial<AiProxyOptions>; code: string }> = {
    ...Object.fromEntries(
      Object.entries(answers).map(([what, answer]) => [what, { ...answer, code: 'internal_error' }]),
    ),
    'the last bytes of a JSON answer': {
      request: { model: 'm' },
      act: (call) => call.res.writeHead(200, json).write('{"a":', () => call.end('1}')),
      code: 'internal_error',
    },
    'an error event': {
      request: openai.request,
      options: { limits: { idleTimeoutMs: 20 } },
      act: (call) => call.sse(['data: 1\n\n']),
      code: 'idle_timeout',
    },
    'an error body': { request: { model: 'm' }, act: (call) => call.reset(), code: 'upstream_reset' },
    // How these end is decided when `end` throws.
    'a stream in which the provider failed': {
      request: openai.request,
      act: (call) => call.sse(['data: 1\n\n', saidError]).end(),
      code: 'upstream_error',
    },
    'a stream in which the provider failed, left open': {
      request: openai.request,
      options: { limits: { terminatorGraceMs: 20 } },
      act: (call) => call.sse([saidError, openai.terminator]),
      code: 'upstream_error',
    },
    'an error in place of a stream, after heartbeats': {
      request: openai.request,
      options: { heartbeat: { beforeFirstByte: true } },
      act: (call) => call.json(401, { error: {} }),
      code: 'upstream_error',
    },
  }
  const wraps: Record<string, (res: Response) => void> = {
    'before it has ended': (res) => {
      res.end = () => {
        throw new Error('no end')
      }
    },
    'when it has ended': (res) => {
      const end = res.end.bind(res) as (last?: unknown) => Response
      res.end = ((last?: unknown) => {
        end(last)
        throw new Error('no end')
      }) as Response['end']
    },
  }
  for (const [when, wrap] of Object.entries(wraps)) {
    for (const [what, { method = 'POST', request, options, act, code }] of Object.entries(ways)) {
      test(`${when}, for ${what}: the exchange ends`, async (t) => {
        const provider = await startProvider(t, { onCall: act })
        const app = await startApp(t, { target: provider.url, ...options }, wrapping(wrap))
        // So that an idle connection is not what ends here.
        app.server.keepAliveTimeout = 0
        const url = method === 'HEAD' ? '/ai/v1/models' : path
        const headers = { ...(method === 'POST' && json), 'x-wrap': '1' }
        const client = await connect(t, app.port)
        client.request(method, url, headers, method === 'POST' ? JSON.stringify(request) : undefined)
        assert.equal((await app.record()).code, code)
        assert.deepEqual(app.proxy.exchanges(), [])
        assert.equal(app.records.length, 1)
        // Where it has ended, the client may have got all of it.
        if (when === 'when it has ended') return
        const text = await client.end()
        assert.ok(!text.endsWith('0\r\n\r\n'))
        assert.ok(!text.endsWith('1}'))
      })
    }
  }

  test('once, after the outcome is final: nothing more is sent, and the connection is cut', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse([saidError]).end() })
    const around = wrapping((res) => {
      t.mock.method(res, 'end').mock.mockImplementationOnce(() => {
        throw new Error('no end')
      })
    })
    const app = await startApp(t, { target: provider.url }, around)
    const client = await connect(t, app.port)
    client.request('POST', path, { ...json, 'x-wrap': '1' }, JSON.stringify(openai.request))
    assert.doesNotMatch(await client.end(), /internal_error|\r\n0\r\n\r\n$/)
    const { outcome, code } = await app.record()
    assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: 'upstream_error' })
  })

  test('when it has ended, while the client does not read the rest: the exchange ends', async (t) => {
    // One event, larger than what the kernel takes on its way: all of it is written at once, and the provider is done.
    const event = `data: ${'x'.repeat(7 << 20)}\n\n`
    const provider = await startProvider(t, { onCall: (call) => call.sse().end(event) })
    const options = { target: provider.url, limits: { drainTimeoutMs: 30 } }
    const app = await startApp(t, options, wrapping(wraps['when it has ended']!))
    const client = (await connect(t, app.port)).pause()
    client.request('POST', path, { ...json, 'x-wrap': '1' }, JSON.stringify(openai.request))
    assert.equal((await app.record()).code, 'internal_error')
    assert.deepEqual(app.proxy.exchanges(), [])
  })
})

test('DEBUG=ai-proxy:* shows the cause of an internal_error; nothing is printed without it', async () => {
  const support = (name: string) => JSON.stringify(require.resolve(`./support/${name}.ts`))
  const script = `
    const { startApp } = require(${support('app')})
    const { post } = require(${support('client')})
    const { openai } = require(${support('protocols')})
    const { startProvider } = require(${support('provider')})
    async function main() {
      const cleanUps = []
      const owner = { after: (run) => void cleanUps.push(run) }
      const provider = await startProvider(owner, { onCall: (call) => call.json(200, {}) })
      const before = (app) => app.use((req, res, next) => {
        const writeHead = res.writeHead
        res.writeHead = function theirWriteHead(status) {
          if (status === 200) throw new TypeError('the hook is broken')
          return writeHead.call(res, status)
        }
        next()
      })
      const app = await startApp(owner, { target: provider.url }, { before })
      console.log(await (await post(app.url + openai.path, { model: 'm' })).text())
      console.log(JSON.stringify({ ...(await app.record()), attempts: [] }))
      for (const run of cleanUps) await run()
    }
    void main()
  `
  const run = async (DEBUG: string) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], {
      env: { ...process.env, DEBUG, NODE_TEST_CONTEXT: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { out: '', err: '' }
    child.stdout.on('data', (text) => (output.out += text))
    child.stderr.on('data', (text) => (output.err += text))
    assert.equal(await new Promise((resolve) => child.on('close', resolve)), 0, output.err)
    assert.equal(output.out.match(/internal_error/g)?.length, 2, output.out)
    assert.ok(!output.out.includes('the hook is broken'))
    return output.err
  }
  const shown = await run('ai-proxy:*')
  assert.match(shown, /ai-proxy:stream .*TypeError: the hook is broken/)
  assert.match(shown, /theirWriteHead/)
  assert.doesNotMatch(await run(''), /hook|ai-proxy:/)
})
