// Measures what one hostile request body costs an app: how long it blocks the event loop, and how much memory it takes.
//   npm run bench:hostile [-- --only NAME]
// Each body is sent to an app in a new process, with the default options and with every option that reads bodies.
import { fork } from 'node:child_process'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import express from 'express'
import { type AiProxyOptions, aiProxy } from '../lib/index.js'

const MIB = 1024 * 1024
const CHAT = '/ai/v1/chat/completions'
const GEMINI = '/ai/v1beta/models/g:generateContent'

const everyOption: Partial<AiProxyOptions> = {
  models: [/./],
  modelOptions: {
    defaults: { maxOutputTokens: 50, generationConfig: { thinkingConfig: { thinkingBudget: 1 } } },
    overrides: { maxOutputTokens: 100 },
  },
  onRequest() {},
}

interface Body {
  readonly path?: string
  readonly bytes: () => Buffer
  readonly coding?: 'br' | 'gzip'
  /** Sends each byte in its own HTTP chunk. */
  readonly isDripped?: boolean
}

const start = '{"model":"m","stream":true'
const filled = (before: string, unit: string, after: string, bytes = 32 * MIB) =>
  Buffer.from(before + unit.repeat(Math.floor((bytes - before.length - after.length) / unit.length)) + after)
const keys = (count: number, name: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => `"${name(at)}":0`).join()
const short = (at: number) => at.toString(36)
const escaped = (at: number) => '\\"'.repeat(11) + at.toString(36)

const bodies: Record<string, Body> = {
  'nothing unusual': { bytes: () => Buffer.from(`${start}}`) },
  'empty names': { bytes: () => filled(start, ',"":0', '}') },
  'empty names, br': { bytes: () => filled(start, ',"":0', '}'), coding: 'br' },
  'empty names, gzip': { bytes: () => filled(start, ',"":0', '}'), coding: 'gzip' },
  'empty names, 256 KiB': { bytes: () => filled(start, ',"":0', '}', MIB / 4) },
  'names, 32 MiB': { bytes: () => Buffer.from(`${start},${keys(2_900_000, short)}}`) },
  'escaped quotes': { bytes: () => filled(`${start},"x":"`, '\\"', '"}') },
  'a long text': { bytes: () => filled(`${start},"x":"`, 'x', '"}') },
  'a long text, br': { bytes: () => filled(`${start},"x":"`, 'x', '"}'), coding: 'br' },
  'Chinese text': { bytes: () => filled(`${start},"x":"`, '漢', '"}') },
  'white space': { bytes: () => filled(`${start},`, ' ', '"x":1}') },
  numbers: { bytes: () => filled(`${start},"x":[1`, ',1', ']}') },
  'numbers, within the bounds': { bytes: () => filled(`${start},"x":[1`, ',1', ']}', 1.5 * MIB) },
  lists: { bytes: () => filled(`${start},"x":[[]`, ',[]', ']}') },
  'objects, 256 KiB': { bytes: () => filled(`${start},"x":[{}`, ',{}', ']}', MIB / 4) },
  'objects, within the bounds': {
    bytes: () => Buffer.from(`${start},"x":[${Array.from({ length: 46_000 }, (_, at) => `{"k${at}":1}`).join()}]}`),
  },
  nested: { bytes: () => Buffer.from(`${start},"x":${'['.repeat(16 * MIB - 50)}${']'.repeat(16 * MIB - 50)}}`) },
  'nested, 256 KiB': { bytes: () => Buffer.from(`${start},"x":${'['.repeat(130_000)}${']'.repeat(130_000)}}`) },
  'options of 990,000 keys': {
    path: GEMINI,
    bytes: () => Buffer.from(`{"generationConfig":{"maxOutputTokens":5,${keys(990_000, short)}}}`),
  },
  'options of 90,000 keys': {
    path: GEMINI,
    bytes: () => Buffer.from(`{"generationConfig":{"maxOutputTokens":5,${keys(90_000, short)}}}`),
  },
  'options of escaped keys': {
    path: GEMINI,
    bytes: () => Buffer.from(`{"generationConfig":{"thinkingConfig":{${keys(60_000, escaped)}}}}`),
  },
  'one byte a chunk, 3 MiB': { bytes: () => filled(`${start},"x":"`, 'x', '"}', 3 * MIB), isDripped: true },
}

interface Figures {
  /** The longest gap between two timer callbacks. */
  readonly blockMs: number
  /** The most CPU time of the process in such a gap, including zlib's threads. A busy machine distorts it less than the gap. */
  readonly cpuMs: number
  readonly rss: number
  readonly held: number
}

type Child = ReturnType<typeof fork>

void (process.env.HOSTILE_APP ? runApp() : measureAll())

/** The app. Answers `figures` with what it has measured since the last question. */
function runApp(): void {
  const { target, isReading } = JSON.parse(process.env.HOSTILE_APP!) as { target: string; isReading: boolean }
  const proxy = aiProxy({ target, ...(isReading && everyOption) })
  const server = express().use('/ai', proxy).listen(0, '127.0.0.1')
  let last = performance.now()
  let lastCpu = process.cpuUsage()
  let blockMs = 0
  let cpuMs = 0
  let rss = 0
  setInterval(() => {
    const now = performance.now()
    const { user, system } = process.cpuUsage(lastCpu)
    blockMs = Math.max(blockMs, now - last - 1)
    cpuMs = Math.max(cpuMs, (user + system) / 1000)
    last = now
    lastCpu = process.cpuUsage()
  }, 1)
  setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }, 10)
  process.on('message', () => {
    process.send!({ blockMs, cpuMs, rss: Math.max(rss, process.memoryUsage.rss()), held: proxy.stats().heldBytes })
    blockMs = cpuMs = rss = 0
  })
  process.on('disconnect', () => process.exit())
  server.on('listening', () => process.send!({ port: (server.address() as AddressInfo).port }))
}

async function measureAll(): Promise<void> {
  const only = process.argv[process.argv.indexOf('--only') + 1]
  const provider = createServer((req, res) => {
    req.resume().on('end', () => res.setHeader('content-type', 'application/json').end('{"ok":true}'))
  })
  provider.listen(0, '127.0.0.1')
  await new Promise((resolve) => provider.once('listening', resolve))
  const target = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  console.log(
    '| body | on the wire | options | status | longest block | of it CPU | rss |\n| --- | --- | --- | --- | --- | --- | --- |',
  )
  for (const [name, body] of Object.entries(bodies)) {
    if (process.argv.includes('--only') && !name.includes(only!)) continue
    const wire = compressed(body.bytes(), body.coding)
    for (const isReading of [false, true]) {
      const { status, blockMs, cpuMs, rss } = await measure(target, isReading, wire, body)
      const shown = wire.length < 10_000 ? `${wire.length} B` : `${(wire.length / MIB).toFixed(1)} MiB`
      const options = isReading ? 'all' : 'default'
      console.log(
        `| ${name} | ${shown} | ${options} | ${status} | ${blockMs.toFixed(0)} ms | ${cpuMs.toFixed(0)} ms | +${(rss / MIB).toFixed(0)} MiB |`,
      )
    }
  }
  provider.close()
}

async function measure(target: string, isReading: boolean, wire: Buffer, body: Body) {
  const child = fork(__filename, {
    env: { ...process.env, HOSTILE_APP: JSON.stringify({ target, isReading }) },
  })
  const { port } = (await message(child)) as { port: number }
  // Warm the app up, so that its code is loaded and compiled.
  for (let n = 0; n < 20; n++) await send(port, body.path ?? CHAT, Buffer.from(`${start}}`), {})
  await sleep(300)
  const before = await figuresOf(child)
  const status = await send(port, body.path ?? CHAT, wire, body)
  await sleep(50)
  const after = await figuresOf(child)
  child.disconnect()
  return { status, blockMs: after.blockMs, cpuMs: after.cpuMs, rss: after.rss - before.rss }
}

async function figuresOf(child: Child): Promise<Figures> {
  child.send('figures')
  return (await message(child)) as Figures
}

function message(child: Child): Promise<unknown> {
  return new Promise((resolve) => child.once('message', resolve))
}

function send(port: number, path: string, bytes: Buffer, { coding, isDripped }: Partial<Body>): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      ...(coding && { 'content-encoding': coding }),
      ...(!isDripped && { 'content-length': bytes.length }),
    }
    const sending = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false })
    sending.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode!)))
    sending.on('error', reject)
    if (!isDripped) return void sending.end(bytes)
    let at = 0
    const drip = (): void => {
      while (at < bytes.length) {
        sending.cork()
        for (const end = Math.min(at + 4096, bytes.length); at < end; at++) sending.write(bytes.subarray(at, at + 1))
        sending.uncork()
        if (sending.writableNeedDrain) return void sending.once('drain', drip)
      }
      sending.end()
    }
    drip()
  })
}

function compressed(bytes: Buffer, coding: Body['coding']): Buffer {
  if (coding === 'gzip') return gzipSync(bytes)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24 }
  return coding === 'br' ? brotliCompressSync(bytes, { params }) : bytes
}
