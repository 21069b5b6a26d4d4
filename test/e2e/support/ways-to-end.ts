import { gzipSync } from 'node:zlib'
import type { AiProxyOptions, FailureCode, Outcome, Phase } from '../../../lib/index.js'
import type { RawClient } from './client.js'
import { openai } from './protocols.js'
import type { Call } from './provider.js'
import { until } from './waiting.js'

/** One exchange of a crowd, seen from outside. */
export interface Seen {
  phase(): Phase | undefined
  /** The provider's side of it, once the request has arrived there. */
  call(): Call
}

/** A way in which an exchange can end. */
export interface Way {
  readonly ends: Outcome
  readonly code?: FailureCode
  /** The name of the app; `plain` by default. */
  readonly app?: keyof typeof setups
  /** What the client sends; a stream's request by default. */
  readonly ask?: (client: RawClient, headers: Record<string, string>) => unknown
  /** What the provider does. */
  readonly act?: (call: Call) => unknown
  /** What the client does afterwards. */
  readonly finish: (client: RawClient, seen: Seen) => unknown
}

/** Apps with the options that are needed to hit each limit. */
export const setups = {
  plain: {},
  small: { limits: { maxRequestBytes: 10 } },
  impatient: { limits: { firstByteTimeoutMs: 15 } },
  restless: { limits: { idleTimeoutMs: 15 } },
  short: { limits: { maxStreamDurationMs: 15 } },
  narrow: { limits: { maxResponseBytes: 100, maxEventBytes: 50 } },
  strict: { limits: { drainTimeoutMs: 15 } },
  full: { limits: { maxConcurrentStreams: 1 } },
  early: { heartbeat: { everyMs: 3, beforeFirstByte: true } },
  drained: { onClientDisconnect: 'drain' },
  left: { errors: 'next', limits: { maxRequestBytes: 10 } },
  away: { target: 'http://127.0.0.1:9' },
  /** Its target accepts connections and never answers the TLS handshake. */
  speechless: {},
} satisfies Record<string, Partial<AiProxyOptions>>

const json = { 'content-type': 'application/json' }
const flood = `data: ${'x'.repeat(64_000)}\n\n`

const getsWholeResponse = (client: RawClient) => client.sees('\r\n0\r\n\r\n')
const getsJson = (client: RawClient) => client.sees(/\r\n\r\n[\s\S]*\}/)
const open = (call: Call) => call.sse(['data: 1\n\n'])
const leavesInTheStream = async (client: RawClient) => {
  await client.sees('data: 1\n\n')
  client.leave()
}
const leavesWhen = (phase: Phase) => async (client: RawClient, seen: Seen) => {
  // On a busy machine, many floods take turns until the client's side of each is full.
  await until(() => seen.phase() === phase, `it is ${phase}`, 60_000)
  client.leave()
}

export const ways: Record<string, Way> = {
  stream: { ends: 'completed', act: (call) => open(call).end('data: [DONE]\n\n'), finish: getsWholeResponse },
  'stream left open': { ends: 'completed', act: (call) => call.sse(['data: [DONE]\n\n']), finish: getsWholeResponse },
  'compressed stream': {
    ends: 'completed',
    act: (call) => call.sse([], { 'content-encoding': 'gzip' }).end(gzipSync('data: 1\n\n')),
    finish: getsWholeResponse,
  },
  json: { ends: 'completed', act: (call) => call.json(200, { ok: 1 }), finish: getsJson },
  'a 429': { ends: 'provider_error', act: (call) => call.json(429, { error: {} }), finish: getsJson },
  upload: {
    ends: 'completed',
    ask: (client, headers) =>
      client.request('POST', `/ai${openai.path}`, { ...headers, 'content-type': 'multipart/form-data' }, '--b--'),
    act: (call) => call.req.on('end', () => call.json(200, {})),
    finish: getsJson,
  },
  options: {
    ends: 'completed',
    ask: (client, headers) => client.request('OPTIONS', `/ai${openai.path}`, headers),
    finish: (client) => client.sees('HTTP/1.1 204'),
  },
  'not allowed': {
    ends: 'rejected',
    code: 'endpoint_not_allowed',
    ask: (client, headers) => client.request('GET', '/ai/v1/files', headers),
    finish: getsJson,
  },
  'no JSON': {
    ends: 'rejected',
    code: 'invalid_request',
    ask: (client, headers) => client.request('POST', `/ai${openai.path}`, { ...headers, ...json }, '{'),
    finish: getsJson,
  },
  'leaves while receiving': {
    ends: 'client_disconnect',
    ask: (client, headers) => {
      const more = { ...json, 'content-length': '99', expect: '100-continue' }
      client.request('POST', `/ai${openai.path}`, { ...headers, ...more }).write('{"mo')
    },
    finish: async (client) => {
      await client.sees('100 Continue')
      client.leave()
    },
  },
  'leaves while uploading': {
    ends: 'client_disconnect',
    ask: (client, headers) => {
      const more = { 'content-type': 'multipart/form-data', 'content-length': '99' }
      client.request('POST', `/ai${openai.path}`, { ...headers, ...more }).write('--b')
    },
    act: (call) => call.sse(['data: 1\n\n']),
    finish: leavesInTheStream,
  },
  'leaves while connecting': { ends: 'client_disconnect', app: 'speechless', finish: leavesWhen('connecting') },
  'leaves while waiting': { ends: 'client_disconnect', finish: leavesWhen('waiting') },
  'leaves while streaming': { ends: 'client_disconnect', act: open, finish: leavesInTheStream },
  'leaves while stalled': {
    ends: 'client_disconnect',
    act: (call) => call.sse().flood(flood),
    finish: (client, seen) => leavesWhen('stalled')(client.pause(), seen),
  },
  'leaves and is drained': {
    ends: 'client_disconnect',
    app: 'drained',
    act: open,
    finish: async (client, seen) => {
      await leavesInTheStream(client)
      await until(() => seen.phase() === 'draining', 'it is drained')
      seen.call().end('data: 2\n\n')
    },
  },
  'leaves among heartbeats': {
    ends: 'client_disconnect',
    app: 'early',
    finish: async (client) => {
      await client.sees(/: .*\n\n[\s\S]*: .*\n\n/)
      client.leave()
    },
  },
  'a 401 behind heartbeats': {
    ends: 'provider_error',
    code: 'upstream_error',
    app: 'early',
    act: (call) => call.json(401, { error: {} }),
    finish: getsWholeResponse,
  },
  'request too large': { ends: 'limit_exceeded', code: 'request_too_large', app: 'small', finish: getsJson },
  'left to Express': {
    ends: 'limit_exceeded',
    code: 'request_too_large',
    app: 'left',
    finish: (client) => client.sees('</html>'),
  },
  'too many streams': { ends: 'limit_exceeded', code: 'too_many_streams', app: 'full', finish: getsJson },
  'no first byte': { ends: 'limit_exceeded', code: 'first_byte_timeout', app: 'impatient', finish: getsJson },
  silence: { ends: 'limit_exceeded', code: 'idle_timeout', app: 'restless', act: open, finish: getsWholeResponse },
  'too long': { ends: 'limit_exceeded', code: 'stream_too_long', app: 'short', act: open, finish: getsWholeResponse },
  'answer too large': {
    ends: 'limit_exceeded',
    code: 'response_too_large',
    app: 'narrow',
    act: (call) => call.sse([`data: ${'x'.repeat(30)}\n\n`.repeat(5)]),
    finish: getsWholeResponse,
  },
  'event too large': {
    ends: 'limit_exceeded',
    code: 'event_too_large',
    app: 'narrow',
    act: (call) => call.sse([`data: ${'x'.repeat(60)}`]),
    finish: getsWholeResponse,
  },
  'reads nothing': {
    ends: 'limit_exceeded',
    code: 'slow_client',
    app: 'strict',
    act: (call) => call.sse().flood(flood),
    finish: (client) => client.pause(),
  },
  unreachable: { ends: 'upstream_error', code: 'upstream_unreachable', app: 'away', finish: getsJson },
  'reset before the head': {
    ends: 'upstream_error',
    code: 'upstream_reset',
    act: (call) => call.reset(),
    finish: getsJson,
  },
  'reset in the stream': {
    ends: 'upstream_error',
    code: 'upstream_reset',
    act: (call) => open(call).res.write('data: ', () => call.reset()),
    finish: getsWholeResponse,
  },
  'cut in an answer': {
    ends: 'upstream_error',
    code: 'upstream_reset',
    act: (call) => call.res.writeHead(200, json).write('{"a":', () => call.reset()),
    finish: (client) => client.end(),
  },
  'no HTTP': {
    ends: 'upstream_error',
    code: 'upstream_reset',
    act: (call) => call.raw('220 hi\r\n\r\n'),
    finish: getsJson,
  },
}
