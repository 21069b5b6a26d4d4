import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type Agent, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { createAgent } from '../../lib/upstream/agent.js'
import { cert, key } from '../e2e/support/certificate.js'
import { cutAt, latin1 } from '../support/bytes.js'
import { settled } from '../support/event-loop.js'
import { cuts, joined, plainChunk } from './chunks.js'
import { type Answer, ask, exchange, provider, type Script, until } from './provider.js'

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const behind = (head: string) => (body: Buffer) => Buffer.concat([Buffer.from(head), body])
const chunks = fc.array(plainChunk, { maxLength: 5 }).map(joined)
const coded = chunks.map((body) => body.coded)

/** `start`, any body in chunks, and one of the `ends`. */
function inChunks(start: fc.Arbitrary<string>, ends: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(start, coded, fc.constantFrom(...ends))
    .map(([head, body, end]) => Buffer.concat([Buffer.from(head), body, Buffer.from(end)]))
}

function scripts(method: string, bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Script> {
  return fc.tuple(bytes, cuts).map(([all, places]) => ({ method, pieces: cutAt(all, places) }))
}

const interim = fc.constantFrom(
  ...['', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'],
  'HTTP/1.1 102 Processing\r\ntransfer-encoding: chunked\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
)
const LAST_CHUNKS = [
  ...['0\r\n\r\n', '00\r\nx-sum: 1\r\nx-b: 2\r\n\r\n', '0;last\r\n\r\n', '000000000\r\n\r\n'],
  ...['5;x=y\r\nhello\r\n2\r\n\r\n\r\n0\r\n\r\n', '000000005\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 3\r\n\r\n'],
]
const noBody = fc.constantFrom('204 No Content', '304 Not Modified').map((status) => chunked.replace('200 OK', status))
const counted = coded.map((body) => behind(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`)(body))
const whole = fc.oneof(
  { weight: 4, arbitrary: scripts('GET', inChunks(interim.map((head) => head + chunked), LAST_CHUNKS)) },
  scripts('GET', inChunks(fc.constant(chunked.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), LAST_CHUNKS)),
  scripts('GET', inChunks(fc.constant(chunked.replace('chunked', 'Chunked')), LAST_CHUNKS)),
  scripts('GET', inChunks(fc.constant(chunked.replace('\r\n\r\n', '\r\nx: \ty\r\n\r\n')), LAST_CHUNKS)),
  scripts('GET', counted),
  scripts('GET', coded.map(behind('HTTP/1.1 200 OK\r\n\r\n'))),
  scripts('GET', coded.map(behind('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n'))),
  scripts('GET', noBody.map((head) => Buffer.from(head))),
  scripts('HEAD', fc.constant(Buffer.from(chunked))),
)

const BROKEN_ENDS = [
  ...['', '5', '5\r', '5\r\nhell', '5\r\nhello', '5\r\nhello\r', 'zz\r\n', '\r\n', '5 5\r\nhello\r\n', '5\nhello\n'],
  ...['5\r\nhelloworld\r\n0\r\n\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello\rx\r\n', 'fffffffffffffffff\r\n'],
  ...['0', '0\r\n', '0\r\nx-sum: 1\r\n', '0\r\nbad trailer\r\n\r\n', '0\r\n\rx', '1;\x00\r\n'],
]
const broken = fc.oneof(
  { weight: 4, arbitrary: scripts('GET', inChunks(fc.constant(chunked), BROKEN_ENDS)) },
  scripts('GET', inChunks(fc.constant(chunked.replaceAll('\r\n', '\n')), LAST_CHUNKS)),
  scripts('GET', inChunks(fc.constant(chunked.replace('\r\n\r\n', '\r\ncontent-length: 5\r\n\r\n')), LAST_CHUNKS)),
  scripts('GET', inChunks(fc.constantFrom('', 'HTTP/1.1 2x0 OK\r\n\r\n', chunked.replace('OK', 'O\rK')), ['', '0'])),
  scripts('GET', counted.map((bytes) => bytes.subarray(0, -1))),
  scripts('GET', coded.map(behind('HTTP/1.1 101 Switching Protocols\r\n\r\n'))),
)

/** @param asks with a new agent of ours, and with one of Node's */
async function withBoth<T>(asks: (agent: Agent) => Promise<T>): Promise<{ ours: T; nodes: T }> {
  const agents = [createAgent('http:', undefined), new http.Agent({ keepAlive: true })] as const
  try {
    return { ours: await asks(agents[0]), nodes: await asks(agents[1]) }
  } finally {
    for (const agent of agents) agent.destroy()
  }
}

describe('a client gets what it gets of an agent of Node', () => {
  test('of answers one behind the other, on one connection where that is kept alive', async (t) => {
    const server = await provider(t)
    const several = fc.array(whole, { minLength: 1, maxLength: 3 })
    const property = fc.asyncProperty(several, async (all) => {
      const { ours, nodes } = await withBoth(async (agent) => {
        const answers: Answer[] = []
        for (const script of all) answers.push(await exchange(agent, server, script))
        return answers
      })
      assert.deepEqual(ours, nodes)
      for (const { complete } of ours) assert.equal(complete, true)
    })
    await fc.assert(property, { numRuns: 200 })
  })

  test('of an answer that is broken, or breaks off, and of the next one', async (t) => {
    const server = await provider(t)
    const property = fc.asyncProperty(broken, whole, async (script, next) => {
      const { ours, nodes } = await withBoth(async (agent) => [
        await exchange(agent, server, script),
        await exchange(agent, server, next),
      ])
      assert.deepEqual(ours, nodes)
      assert.notEqual(ours[0]?.complete, true)
      assert.equal(ours[1]?.complete, true)
    })
    await fc.assert(property, { numRuns: 200 })
  })

  test('of an answer with bytes behind its end, which are no answer to the next request', async (t) => {
    const server = await provider(t)
    const ends = ['garbage', '0\r\n\r\n', '\r\n\r\n', `${chunked}8\r\nsmuggled\r\n0\r\n\r\n`, 'HTTP/1.1 200 OK\r\n\r\n']
    const after = fc.constantFrom(...ends).map((end) => Buffer.from(end))
    const property = fc.asyncProperty(whole, after, fc.boolean(), async ({ method, pieces }, end, isApart) => {
      const last = isApart ? [...pieces, end] : [...pieces.slice(0, -1), Buffer.concat([...pieces.slice(-1), end])]
      const { ours, nodes } = await withBoth((agent) => exchange(agent, server, { method, pieces: last }))
      // Whether the request fails, too, depends on what was read at once; the response was whole.
      assert.deepEqual({ ...ours, requestFailed: nodes.requestFailed }, nodes)
      assert.equal(ours.responseFailed, false)
    })
    await fc.assert(property, { numRuns: 200 })
    const agent = createAgent('http:', undefined)
    t.after(() => agent.destroy())
    for (const end of after ? ends : []) {
      const pieces = [Buffer.from(`${chunked}1\r\na\r\n0\r\n\r\n`), Buffer.from(end)]
      for (const read of [pieces, [Buffer.concat(pieces)]]) {
        const { body, reusedSocket } = await exchange(agent, server, { method: 'GET', pieces: read })
        assert.deepEqual({ body, reusedSocket }, { body: 'a', reusedSocket: false })
      }
    }
  })
})
