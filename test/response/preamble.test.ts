import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cutAt } from '../support/bytes.js'
import { settled } from '../support/event-loop.js'
import { joined, type ProtocolBody, protocols } from './preamble-bodies.js'
import { bodyOf, type Given, reading } from './preamble-rig.js'

const givenOf = ({ path, headers }: ProtocolBody): Given => ({ path, headers })
const latin1 = (...pieces: (Buffer | string)[]) => joined(...pieces).toString('latin1')

for (const protocol of protocols) {
  const { name, preamble, content, end, error, status, says } = protocol
  const given = givenOf(protocol)

  describe(`${name}: the beginning of a stream`, () => {
    test('is held until content comes, and put back', async () => {
      const { send, log, ready, response, isUntouched } = reading(given)
      await send(...preamble)
      assert.deepEqual(log, [])
      await send(content)
      assert.deepEqual(log, ['ready: content'])
      assert.equal(ready(), response)
      for (const piece of end) response.send(piece)
      response.finish()
      assert.deepEqual(await bodyOf(ready()), { text: latin1(...preamble, content, ...end), isBroken: false })
      assert.ok(isUntouched())
    })

    test('fails with an error, which can be forwarded', async () => {
      const { send, log, failure, isUntouched } = reading(given)
      await send(...preamble, joined(error, content))
      assert.deepEqual(log, [`failed: error-event ${status ?? 'without a status'}`])
      assert.equal(failure().message, says)
      assert.equal(failure().said!.complete, true)
      assert.deepEqual(await bodyOf(failure().said!), { text: latin1(...preamble, error), isBroken: false })
      assert.ok(isUntouched())
    })

    test('is ready if content precedes an error in the same chunk', async () => {
      const { send, log } = reading(given)
      await send(joined(...preamble, content, error))
      assert.deepEqual(log, ['ready: content'])
    })

    test('fails if the connection breaks', async () => {
      const rig = reading(given)
      await rig.send(...preamble)
      await rig.break()
      assert.deepEqual(rig.log, ['failed: reset without a status'])
      assert.equal(rig.failure().said, undefined)
    })

    test('fails if the body ends', async () => {
      const rig = reading(given)
      await rig.send(...preamble)
      await rig.finish()
      assert.deepEqual(rig.log, ['failed: truncated without a status'])
      assert.equal(rig.failure().said, undefined)
    })

    test('shows the same however it is cut', async () => {
      const bodies = [
        { pieces: [...preamble, content, ...end], line: 'ready: content' },
        { pieces: [...preamble, error], line: `failed: error-event ${status ?? 'without a status'}` },
      ]
      for (const { pieces, line } of bodies) {
        const body = joined(...pieces)
        await fc.assert(
          fc.asyncProperty(fc.array(fc.nat(body.length), { maxLength: 12 }), fc.boolean(), async (places, isSlow) => {
            const { response, log, ready, failure, isUntouched } = reading(given)
            for (const chunk of cutAt(body, places)) {
              response.send(chunk)
              if (isSlow) await settled(1)
            }
            response.finish()
            await settled()
            assert.deepEqual(log, [line])
            const { text } = await bodyOf(ready() ?? failure().said)
            assert.equal(text, body.toString('latin1'))
            assert.ok(isUntouched())
          }),
          { numRuns: 40 },
        )
      }
    })
  })
}

describe('an array that is closed without content', () => {
  const { path, headers, preamble } = protocols.find(({ name }) => name === 'gemini as an array')!
  const cases: [what: string, body: Buffer | string, line: string][] = [
    ['and has no element', '[]', 'failed: truncated without a status'],
    ['after a beginning', joined(...preamble, ']\n'), 'failed: truncated without a status'],
    ['after the answer has ended', '[{"candidates":[{"finishReason":"STOP"}]}]', 'ready: content'],
    ['after the prompt was refused', '[{"promptFeedback":{"blockReason":"SAFETY"}}]', 'ready: content'],
  ]
  for (const [what, body, line] of cases) {
    test(what, async () => {
      const { send, log } = reading({ path, headers: headers as Record<string, string> })
      for (const chunk of cutAt(joined(body), [3, 11])) await send(chunk)
      assert.deepEqual(log, [line])
    })
  }
})
