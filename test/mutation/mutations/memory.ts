import { mutationsOf } from '../mutation.js'

/** The memory of a read, which is used again: never while somebody still needs what is in it. */
export const memory = mutationsOf(
  'memory',
  ['test/util/chunk-memory.test.ts', 'test/e2e/reused-memory.test.ts'],
  [
    ['if (memory[END] !== frames.byteOffset + frames.length + heldBytes) return', ''],
    ['if (memory[END] !== undefined) memory[END] = undefined', ''],
    ['if (detached && memory.byteLength === 0) memories', 'if (detached) memories'],
    ['if ((chunk as ChunkBuffer)[HEADROOM] === HEADROOM_BYTES) takeBack(chunk, 0)', 'takeBack(chunk, 0)'],
    [' && !this.isWithinFrame && this.recorder?.copiesBytes !== false', ' && this.recorder?.copiesBytes !== false'],
    [' && this.recorder?.copiesBytes !== false', ''],
    ['this.#socket.writableLength === 0 && this.#isPrivate', 'this.#socket.writableLength === 0'],
    [
      'this.#isOverheard = !writesAsNode(socket)',
      'this.#isOverheard = false',
      'test/response/downstream.memory.test.ts',
    ],
    ['!this.#isOverheard && writes', 'writes', 'test/response/downstream.memory.test.ts'],
    [
      'this.#res.write !== nodeWrite || !writesAsNode(this.#socket)',
      'this.#res.write !== nodeWrite',
      'test/response/downstream.memory.test.ts',
    ],
    ['this.#res.write !== nodeWrite || ', '', 'test/response/downstream.memory.test.ts'],
    ['this.isUsable && this.#socket.writableLength === 0', 'this.isUsable'],
    ['socket.write === write && socket._write', 'socket._write'],
    [' && socket._write === _write', ''],
    [' && socket._writev === _writev', ''],
    ['copiedBytes === undefined || this.#rest) return', 'copiedBytes === undefined) return'],
    ['if (!this.#untaken || !this.#downstream.hasSentAll) return', 'if (!this.#untaken) return'],
    ['this.hasSentAll || this.#hasFinished', 'true', 'test/response/downstream.memory.test.ts'],
    ['this.#res.writableFinished && !this', '!this', 'test/response/downstream.memory.test.ts'],
    ['    this.callbacks = undefined\n', '', 'test/journal/memory-journal.test.ts'],
    ['this.copiesBytes = this.#writer.copiesBytes === true', ''],
    ["Object.hasOwn(framer, 'push') &&", 'false &&', 'test/options/guarded-framing.test.ts'],
    ['    retain(piece)\n', '', 'test/framing/pending-bytes.test.ts'],
    ['      retain(drain)\n', '', 'test/metering/last-frames.test.ts'],
    ['      retain(bytes)\n', '', 'test/journal/kept-batches.test.ts'],
  ],
)
