import assert from 'node:assert/strict'
import { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { Connection } from '../../lib/upstream/connection.js'
import { startApp } from '../e2e/support/app.js'
import { post } from '../e2e/support/client.js'
import { openai } from '../e2e/support/protocols.js'
import { startProvider } from '../e2e/support/provider.js'

type Listener = (this: Socket, chunk: Buffer) => void

/** Makes Node's client take what a connection brings by `readable`, as a future one might. */
function readByReadable(socket: Socket): void {
  const [parse] = socket.listeners('data') as Listener[]
  if (!parse) return
  socket.removeAllListeners('data')
  const onReadable = () => {
    let chunk: Buffer | null
    // biome-ignore lint/suspicious/noAssignInExpressions: it is how a stream is read
    while ((chunk = socket.read()) !== null) parse.call(socket, chunk)
  }
  socket.on('readable', onReadable)
  socket.once('free', () => socket.off('readable', onReadable))
}

/** From here to the end of the test, Node's client listens in another way. */
function otherNode(t: TestContext): Socket[] {
  const sockets: Socket[] = []
  const { emit } = ClientRequest.prototype
  t.mock.method(ClientRequest.prototype, 'emit', function (this: ClientRequest, event: string, ...args: unknown[]) {
    const [socket] = args as [Socket]
    // The test's own client has connections of its own.
    if (event === 'socket' && this.path.endsWith(openai.path)) {
      sockets.push(socket)
      readByReadable(socket)
    }
    return emit.call(this, event, ...args)
  })
  return sockets
}

const whole = [...openai.events, openai.terminator]

describe('fastPath', () => {
  test('turns itself off, without losing an answer, in a Node whose client listens differently', async (t) => {
    const sockets = otherNode(t)
    const provider = await startProvider(t, {
      onCall: (call) => {
        call.res.setHeader('connection', 'close')
        call.sse(whole).end()
      },
    })
    const app = await startApp(t, { target: provider.url })
    for (let time = 0; time < 3; time++) {
      const answer = await post(app.url + openai.path, openai.request)
      assert.equal(await answer.text(), whole.join(''))
      assert.equal((await app.record()).outcome, 'completed')
    }
    const ours = sockets.map((socket) => Connection.of({ socket }) !== undefined)
    assert.deepEqual(ours, [true, false, false])
  })

  for (const [name, proxy, isOurs] of [
    ['is on by default', {}, true],
    ['is off with `false`', { fastPath: false }, false],
  ] as const) {
    test(name, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => void call.sse(whole).end() })
      const sockets: Socket[] = []
      const { emit } = ClientRequest.prototype
      t.mock.method(ClientRequest.prototype, 'emit', function (this: ClientRequest, event: string, ...args: unknown[]) {
        if (event === 'socket' && this.path.endsWith(openai.path)) sockets.push(args[0] as Socket)
        return emit.call(this, event, ...args)
      })
      const app = await startApp(t, { target: provider.url, proxy })
      assert.equal(await (await post(app.url + openai.path, openai.request)).text(), whole.join(''))
      assert.deepEqual(
        sockets.map((socket) => Connection.of({ socket }) !== undefined),
        [isOurs],
      )
    })
  }
})
