import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Call } from '../e2e/support/provider.js'
import { begins, drips, floods, gets, gone, isTold, leavesAfter } from './acts.js'
import type { Ask, Client } from './client.js'
import { DONE, EVENT, LARGE_EVENT } from './events.js'
import type { Mount } from './mounts.js'

/** A kind of exchange, with the outcome that it must have. */
export interface Kind {
  readonly mount: Mount
  /** Occurs once in this many rounds of all kinds; in every round by default. */
  readonly every?: number
  /** The record's outcome, and its code if it has one. */
  readonly ends: string
  readonly ask?: Partial<Ask>
  /** What the provider does. */
  readonly act?: (call: Call) => unknown
  /** What the client does, and must see. It may ask again, for what must complete. */
  readonly goes: (client: Client, call: Promise<Call>, get: (path: string) => Client) => Promise<void>
}

export const kinds: Record<string, Kind> = {
  burst: {
    mount: 'plain',
    ends: 'completed',
    act: (call) => call.sse().end(EVENT.repeat(500) + DONE),
    goes: gets(200, 500),
  },
  drip: { mount: 'plain', ends: 'completed', act: (call) => drips(call, 20), goes: gets(200, 20) },
  json: { mount: 'plain', ends: 'completed', act: (call) => call.json(200, { usage: {} }), goes: gets(200, 0) },
  'a 429': { mount: 'plain', ends: 'provider_error', act: (call) => call.json(429, { error: {} }), goes: gets(429, 0) },
  upload: {
    mount: 'plain',
    ends: 'completed',
    ask: {
      // The JSON of a chat would be checked.
      path: '/v1/audio/transcriptions',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: `--b\r\n\r\n${'x'.repeat(50_000)}`,
    },
    act: (call) => call.req.on('end', () => call.json(200, {})),
    goes: gets(200, 0),
  },
  heartbeats: {
    mount: 'early',
    ends: 'completed',
    act: (call) => sleep(1000).then(() => drips(call, 5)),
    goes: gets(200, 5),
  },
  'slow reader': {
    mount: 'plain',
    ends: 'completed',
    act: (call) => call.sse().end(LARGE_EVENT.repeat(60) + DONE),
    goes: (client) => gets(200, 60)(client.readSlowly(128 * 1024, 100)),
  },
  'stuck reader': {
    mount: 'strict',
    every: 4,
    ends: 'limit_exceeded slow_client',
    act: floods,
    // A client that does not read cannot see that its connection is closed, but the provider can.
    goes: async (client, call) => {
      client.readSlowly(1, Number.POSITIVE_INFINITY)
      await gone(call)
    },
  },
  'leaves while waiting': {
    mount: 'plain',
    ends: 'client_disconnect',
    goes: async (client, call) => {
      await call
      client.leave()
      await gone(call)
    },
  },
  'leaves a drip': {
    mount: 'plain',
    ends: 'client_disconnect',
    act: (call) => drips(call, 400),
    goes: leavesAfter(2000),
  },
  'leaves a flood': { mount: 'plain', every: 4, ends: 'client_disconnect', act: floods, goes: leavesAfter(300_000) },
  'leaves, and is drained': {
    mount: 'drained',
    ends: 'client_disconnect',
    act: begins,
    goes: async (client, call) => {
      await client.begun
      client.leave()
      // The proxy has already noticed that it left when this arrives.
      await sleep(1000)
      ;(await call).end(EVENT + DONE)
    },
  },
  stall: { mount: 'restless', ends: 'limit_exceeded idle_timeout', act: begins, goes: isTold(200, 'idle_timeout') },
  'no first byte': {
    mount: 'impatient',
    ends: 'limit_exceeded first_byte_timeout',
    goes: isTold(504, 'first_byte_timeout'),
  },
  'too long': {
    mount: 'short',
    ends: 'limit_exceeded stream_too_long',
    act: (call) => drips(call, 400),
    goes: isTold(200, 'stream_too_long'),
  },
  reset: {
    mount: 'plain',
    ends: 'upstream_error upstream_reset',
    act: (call) => begins(call).res.write('data: half', () => call.reset()),
    goes: isTold(200, 'upstream_reset'),
  },
  'reset before the head': {
    mount: 'plain',
    ends: 'upstream_error upstream_reset',
    act: (call) => call.reset(),
    goes: isTold(502, 'upstream_reset'),
  },
  'reset in JSON': {
    mount: 'plain',
    ends: 'upstream_error upstream_reset',
    act: (call) => call.res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":', () => call.reset()),
    goes: async (client) => assert.equal(await client.over, 'cut'),
  },
  unreachable: {
    mount: 'away',
    ends: 'upstream_error upstream_unreachable',
    goes: isTold(502, 'upstream_unreachable'),
  },
  'oversize request': {
    mount: 'small',
    ends: 'limit_exceeded request_too_large',
    ask: { body: `{"model":"${'x'.repeat(30_000)}"}` },
    goes: isTold(413, 'request_too_large'),
  },
  'oversize answer': {
    mount: 'narrow',
    ends: 'limit_exceeded response_too_large',
    act: (call) => call.sse([EVENT.repeat(200)]),
    goes: isTold(200, 'response_too_large'),
  },
  'oversize event': {
    mount: 'narrow',
    ends: 'limit_exceeded event_too_large',
    act: (call) => begins(call).send(`data: ${'x'.repeat(6000)}`),
    goes: isTold(200, 'event_too_large'),
  },
  'not allowed': {
    mount: 'plain',
    ends: 'rejected endpoint_not_allowed',
    ask: { path: '/v1/files' },
    goes: isTold(404, 'endpoint_not_allowed'),
  },
  'refused by its quota': {
    mount: 'spent',
    ends: 'limit_exceeded quota_exceeded',
    goes: isTold(429, 'quota_exceeded'),
  },
  'cut by its quota': {
    mount: 'metered',
    ends: 'limit_exceeded quota_exceeded',
    act: (call) => drips(call, 400),
    goes: isTold(200, 'quota_exceeded'),
  },
  'waits for its turn': { mount: 'queued', ends: 'completed', act: (call) => drips(call, 5), goes: gets(200, 5) },
  'leaves the queue': {
    mount: 'queued',
    ends: 'client_disconnect',
    goes: async (client) => {
      // A heartbeat: it waits for its turn, or for the provider.
      await client.begun
      client.leave()
    },
  },
  'leaves a kept stream for good': {
    mount: 'kept',
    ends: 'client_disconnect aborted',
    act: (call) => drips(call, 400),
    goes: leavesAfter(2000),
  },
  'comes back to a kept stream': {
    mount: 'kept',
    ends: 'client_disconnect',
    act: (call) => drips(call, 50),
    goes: async (client, _, get) => {
      while (client.events < 3) await sleep(5)
      client.leave()
      const { 'x-stream-url': url = '' } = client.headers
      await gets(200, 50)(get(`${url}?after=0`))
    },
  },
  'is kept to its end': { mount: 'kept', ends: 'completed', act: (call) => drips(call, 20), goes: gets(200, 20) },
  // Its first event and the shutdown race with each other.
  'shut down while streaming': {
    mount: 'rolling',
    ends: 'shutdown shutting_down',
    act: begins,
    goes: isTold([200, 503], 'shutting_down'),
  },
  'shut down while waiting': {
    mount: 'rolling',
    ends: 'shutdown shutting_down',
    goes: isTold(503, 'shutting_down'),
  },
}
