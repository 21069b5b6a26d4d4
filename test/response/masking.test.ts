import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Metering } from '../../lib/exchange/metering.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { type Framing, ndjson, sse } from '../../lib/framing/index.js'
import { MaskingFramer, MaskingMeter } from '../../lib/response/masking.js'
import { Secrets } from '../../lib/util/secrets.js'
import { piecesOf } from '../support/bytes.js'

const KEY = 'sk-provider-key-1'
const secrets = new Secrets([`Bearer ${KEY}`])
const hidden = '*'.repeat(KEY.length)

describe('a body that quotes a key', () => {
  const body = `{"error":{"message":"Incorrect API key: ${KEY}, not ${KEY.slice(0, 8)}"}}${KEY.slice(0, 5)}`
  const expected = body.replace(KEY, hidden)

  test('passes without the key, however it is split', () => {
    for (let cut = 0; cut <= body.length; cut++) {
      const framer = new MaskingFramer(secrets)
      const pieces = [body.slice(0, cut), body.slice(cut)].map((piece) => framer.push([Buffer.from(piece)]))
      assert.equal(framer.holdsNothing, false)
      pieces.push(framer.end())
      assert.equal(framer.holdsNothing, true)
      assert.equal(pieces.map((piece) => piece ?? '').join(''), expected, `cut at ${cut}`)
    }
  })

  test("passes without the key's longest encoding, however it is split", () => {
    const longest = Buffer.from(`Bearer ${KEY}`).toString('base64')
    assert.equal(secrets.longest, longest.length)
    for (let cut = 0; cut <= longest.length; cut++) {
      const framer = new MaskingFramer(secrets)
      const pieces = [longest.slice(0, cut), longest.slice(cut)].map((piece) => framer.push([Buffer.from(piece)]))
      pieces.push(framer.end())
      assert.equal(pieces.map((piece) => piece ?? '').join(''), '*'.repeat(longest.length), `cut at ${cut}`)
    }
  })

  test('passes without the key, one byte at a time', () => {
    const framer = new MaskingFramer(secrets)
    let text = ''
    for (const byte of Buffer.from(body)) text += framer.push([Buffer.of(byte)]) ?? ''
    assert.equal(text + (framer.end() ?? ''), expected)
  })

  test('passes unchanged and without delay if it has no key', () => {
    const framer = new MaskingFramer(secrets)
    const bytes = Buffer.from('{"a":1}')
    assert.deepEqual(framer.push([bytes]), bytes)
    assert.equal(framer.holdsNothing, true)
    assert.equal(framer.end(), undefined)
  })
})

describe('frames that quote a key', () => {
  for (const framing of [sse, ndjson]) {
    test(`${framing.name}: pass and are metered without the key`, () => {
      const frames = Buffer.concat(
        ['{"a":1}', `{"error":{"message":"bad key ${KEY}"}}`].map((data) => framing.write({ data })),
      )
      const ends = [framing.write({ data: '{"a":1}' }).length, frames.length]
      const metered: unknown[] = []
      const meter = new MaskingMeter(secrets, framing, {
        pass: (frames, ends) => {
          metered.push(String(frames), ends)
          return frames
        },
        finish: () => metered.push('finished'),
      })
      const expected = String(frames).replace(KEY, hidden)
      assert.equal(String(meter.pass(frames, ends, 0)), expected)
      meter.finish(0)
      assert.deepEqual(metered, [expected, ends, 'finished'])
    })
  }

  test('of AWS are re-encoded, so that their checksums are valid; others are the same bytes', () => {
    const clean = awsEventStream.write({ event: 'contentBlockDelta', data: '{"delta":{"text":"a"}}' })
    const bad = awsEventStream.write({ event: 'accessDenied', data: `{"message":"${KEY}"}`, isError: true })
    const frames = Buffer.concat([clean, bad, clean])
    const seen = new MaskingMeter(secrets, awsEventStream, undefined).pass(frames, [], 0)
    assert.equal(seen?.length, 0, 'without their ends there are no frames')
    const ends = [clean.length, clean.length + bad.length, frames.length]
    const masked = new MaskingMeter(secrets, awsEventStream, undefined).pass(frames, ends, 0)!
    const written = masked.subarray(clean.length, masked.length - clean.length)
    assert.deepEqual(masked.subarray(0, clean.length), clean)
    assert.deepEqual(masked.subarray(masked.length - clean.length), clean)
    const expected = { event: 'accessDenied', data: `{"message":"${hidden}"}`, isError: true }
    assert.deepEqual({ ...awsEventStream.read(written) }, expected)
  })
})

describe('a large frame that quotes a key', () => {
  const long = 'x'.repeat(300_000)

  /** What passes of the body, in chunks of that size, through a framer and a meter. */
  function passed(framing: Framing, body: Buffer, size: number, inner?: Metering): Buffer {
    const framer = framing.createFramer(Number.POSITIVE_INFINITY)
    const meter = new MaskingMeter(secrets, framing, inner)
    const out: Buffer[] = []
    for (const piece of piecesOf(body, size)) {
      const frames = framer.push([piece])
      const seen = frames && meter.pass(frames, framer.ends, 0, framer.prefix)
      out.push(...(frames ? (meter.prefix ?? []) : []), ...(seen ? [seen] : []))
      if (framer.unfinished!.length > 0) meter.scanUnfinished(framer.unfinished!)
    }
    return Buffer.concat(out)
  }

  test('passes without the key, even if it spans two pieces', () => {
    for (let before = 0; before < 40; before++) {
      const body = framedWith(sse, `{"a":"${long}${'y'.repeat(before)}${KEY}${long}${KEY}"}`)
      const out = passed(sse, body, 20_011)
      assert.equal(String(out), String(body).replaceAll(KEY, hidden), `${before}`)
    }
  })

  test('passes without the key, however many pieces it spans', () => {
    const lines = `data: {"a":"${long}`
    for (const sizes of [[10, 3, 13], Array.from({ length: 60 }, () => 1), [2, 2, 40], [1, 16, 1, 30]]) {
      for (let before = 0; before < 25; before++) {
        const end = `${'y'.repeat(before)}${KEY}${'z'.repeat(40)}`
        const pieces = [Buffer.from(lines), ...cutInto(Buffer.from(end), sizes)]
        const meter = new MaskingMeter(secrets, sse, undefined)
        for (let count = 1; count < pieces.length; count++) meter.scanUnfinished(pieces.slice(0, count))
        const last = meter.pass(pieces.at(-1)!, [pieces.at(-1)!.length], 0, pieces.slice(0, -1))!
        const out = Buffer.concat([...meter.prefix!, last])
        assert.equal(String(out), (lines + end).replace(KEY, hidden), `${sizes}, ${before}`)
      }
    }
  })

  test("passes without the key's longest encoding, however it is split", () => {
    const longest = Buffer.from(`Bearer ${KEY}`).toString('base64')
    const lines = `data: {"a":"${long}`
    for (let cut = 1; cut < longest.length; cut++) {
      const meter = new MaskingMeter(secrets, sse, undefined)
      const last = Buffer.from(`${longest.slice(cut)}"}\n\n`)
      const seen = meter.pass(last, [last.length], 0, [Buffer.from(lines + longest.slice(0, cut))])!
      const out = String(Buffer.concat([...meter.prefix!, seen]))
      assert.equal(out, `${lines}${'*'.repeat(longest.length)}"}\n\n`, `cut at ${cut}`)
    }
  })

  test('passes without a secret of any length that spans two pieces', () => {
    const token = `eyJ${'abc123'.repeat(2000)}`
    const meter = new MaskingMeter(new Secrets([`Bearer ${token}`]), sse, undefined)
    const body = Buffer.from(`data: ${long}${token}\n\n`)
    const pieces = [body.subarray(0, 306_000), body.subarray(306_000)] as const
    const last = meter.pass(pieces[1], [pieces[1].length], 0, [pieces[0]])!
    assert.equal(String(Buffer.concat([...meter.prefix!, last])), String(body).replace(token, '*'.repeat(token.length)))
  })

  test('brings nothing of the one before it, whether that was joined or not', () => {
    const frames = [70_000, 300_000, 200_000, 500_000, 270_000, 300_000]
    const body = Buffer.concat(frames.map((size, at) => framedWith(sse, `{"a":"${String(at).repeat(size)}${KEY}"}`)))
    for (const size of [16_384, 20_011, 65_536, 100_000]) {
      assert.equal(String(passed(sse, body, size)), String(body).replaceAll(KEY, hidden), `${size}`)
    }
  })

  test('is whole although its pieces are joined on the way', () => {
    const body = framedWith(sse, `{"a":"${KEY}${'b'.repeat(60_000)}${'c'.repeat(60_000)}${'d'.repeat(900_000)}"}`)
    const framer = sse.createFramer(Number.POSITIVE_INFINITY)
    const meter = new MaskingMeter(secrets, sse, undefined)
    const out: Buffer[] = []
    for (const piece of cutInto(body, [40_000, 40_000, 200_000, 30_000, 100_000, 600_000])) {
      const frames = framer.push([piece])
      const seen = frames && meter.pass(frames, framer.ends, 0, framer.prefix)
      out.push(...(frames ? (meter.prefix ?? []) : []), ...(seen ? [seen] : []))
      if (framer.unfinished!.length > 0) meter.scanUnfinished(framer.unfinished!)
    }
    assert.equal(String(Buffer.concat(out)), String(body).replaceAll(KEY, hidden))
  })

  test('of AWS is re-encoded', () => {
    const out = passed(awsEventStream, framedWith(awsEventStream, `{"a":"${long}${KEY}"}`), 50_000)
    assert.equal(awsEventStream.read(out)?.data, `{"a":"${long}${hidden}"}`)
  })

  test('is complete without its end if the metering says so', () => {
    for (const isComplete of [true, false]) {
      const inner: Metering = { pass: (frames) => frames, finish() {}, isCompleteMessage: () => isComplete }
      assert.equal(new MaskingMeter(secrets, sse, inner).isCompleteMessage([Buffer.from('data: {}')]), isComplete)
    }
    assert.equal(new MaskingMeter(secrets, sse, undefined).isCompleteMessage([Buffer.from('data: {}')]), false)
  })

  test('is metered without the key', () => {
    const followed: string[] = []
    let ahead: readonly Buffer[] = []
    const inner: Metering = {
      get prefix() {
        return ahead
      },
      pass: (frames, _, __, given = []) => {
        ahead = given
        return frames
      },
      scanUnfinished: (pieces) => void followed.push(String(Buffer.concat([...pieces]))),
      finish() {},
    }
    const body = framedWith(sse, `{"a":"${KEY}${long}"}`)
    const out = passed(sse, body, 50_000, inner)
    assert.equal(String(out), String(body).replace(KEY, hidden))
    assert.ok(followed.length > 3)
    for (const seen of followed) assert.ok(String(out).startsWith(seen))
  })
})

function framedWith(framing: Framing, data: string): Buffer {
  return framing.write({ data })
}

/** The bytes in pieces of these sizes, and the rest. */
function cutInto(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  let start = 0
  for (const size of sizes) {
    if (start + size >= bytes.length) break
    pieces.push(bytes.subarray(start, start + size))
    start += size
  }
  return [...pieces, bytes.subarray(start)]
}
