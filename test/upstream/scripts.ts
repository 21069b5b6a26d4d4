import fc from 'fast-check'
import { cutAt } from '../support/bytes.js'
import { cuts, joined, plainChunk } from './chunks.js'
import type { Script } from './provider.js'

/** A head with nothing out of the way. */
export const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** What lets a body follow the head. */
export const behind = (head: string) => (body: Buffer) => Buffer.concat([Buffer.from(head), body])

const closing = chunked.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
const withTab = chunked.replace('\r\n\r\n', '\r\nx: \ty\r\n\r\n')
const withLength = chunked.replace('\r\n\r\n', '\r\ncontent-length: 5\r\n\r\n')
// Node's client keeps a thousand fields, and its parser heeds the one behind them.
const withManyFields = chunked.replace('\r\n\r\n', `\r\n${'a:b\r\n'.repeat(1000)}transfer-encoding: gzip\r\n\r\n`)
const upgraded = 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'
const noBody = fc
  .constantFrom('204 No Content', '304 Not Modified')
  .map((status) => Buffer.from(chunked.replace('200 OK', status)))
const interim = fc.constantFrom(
  ...['', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'],
  ...['\r\n', '\r\n\r\n\r\n', '\r\nHTTP/1.1 103 Early Hints\r\n\r\n\r\n'],
  'HTTP/1.1 102 Processing\r\ntransfer-encoding: chunked\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
)

const coded = fc.array(plainChunk, { maxLength: 5 }).map((chunks) => joined(chunks).coded)
const counted = coded.map((body) => behind(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`)(body))

const LAST_CHUNKS = [
  ...['0\r\n\r\n', '00\r\nx-sum: 1\r\nx-b: 2\r\n\r\n', '0;last\r\n\r\n', '000000000\r\n\r\n'],
  ...['5;x=y\r\nhello\r\n2\r\n\r\n\r\n0\r\n\r\n', '000000005\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 3\r\n\r\n'],
  // In a chunk for the parser, behind what might be a head's end, is what looks like a chunk.
  'c;x\r\na\r\n\r\n2\r\nab\r\n\r\n0\r\n\r\n',
]
const BROKEN_ENDS = [
  ...['', '5', '5\r', '5\r\nhell', '5\r\nhello', '5\r\nhello\r', 'zz\r\n', '\r\n', '5 5\r\nhello\r\n', '5\nhello\n'],
  ...['5\r\nhelloworld\r\n0\r\n\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello\rx\r\n', 'fffffffffffffffff\r\n'],
  ...['0', '0\r\n', '0\r\nx-sum: 1\r\n', '0\r\nbad trailer\r\n\r\n', '0\r\n\rx', '1;\x00\r\n'],
]

/** One of the heads, any body in chunks, and one of the ends. */
function inChunks(heads: fc.Arbitrary<string>, ends = LAST_CHUNKS): fc.Arbitrary<Buffer> {
  return fc
    .tuple(heads, coded, fc.constantFrom(...ends))
    .map(([head, body, end]) => Buffer.concat([Buffer.from(head), body, Buffer.from(end)]))
}

const usual = inChunks(interim.map((head) => head + chunked))

/** Answers that are whole. */
export const whole: fc.Arbitrary<Script> = fc.oneof(
  { weight: 4, arbitrary: scripts('GET', usual) },
  scripts('GET', inChunks(fc.constantFrom(closing, withTab, chunked.replace('chunked', 'Chunked')))),
  scripts('GET', counted),
  scripts('GET', coded.map(behind('HTTP/1.1 200 OK\r\n\r\n'))),
  scripts('GET', coded.map(behind('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n'))),
  scripts('GET', coded.map(behind(withManyFields))),
  scripts('GET', noBody),
  scripts('HEAD', fc.constant(Buffer.from(chunked))),
)

/** Answers whose lines end as the parser takes them with `insecureHTTPParser` alone. */
export const lenient: fc.Arbitrary<Script> = scripts(
  'GET',
  inChunks(fc.constantFrom(chunked.replaceAll('\r\n', '\n'), chunked.replace('OK\r', 'OK'), chunked.slice(0, -1))),
)

const cutShort = counted.map((bytes) => bytes.subarray(0, -1))
const noHead = fc.constantFrom('', 'HTTP/1.1 2x0 OK\r\n\r\n', chunked.replace('OK', 'O\rK'))

/** Answers that break HTTP's rules, or break off. */
export const broken: fc.Arbitrary<Script> = fc.oneof(
  { weight: 4, arbitrary: scripts('GET', inChunks(fc.constant(chunked), BROKEN_ENDS)) },
  scripts('GET', inChunks(fc.constantFrom(chunked.replaceAll('\r\n', '\n'), withLength))),
  scripts('GET', inChunks(noHead, ['', '0'])),
  scripts('GET', cutShort),
  scripts('GET', coded.map(behind(upgraded))),
)

function scripts(method: string, bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Script> {
  return fc.tuple(bytes, cuts).map(([all, places]) => ({ method, pieces: cutAt(all, places) }))
}
