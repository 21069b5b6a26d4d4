/**
 * A chunk that was read from a connection is copied into memory of its own, which is used again once the client has the
 * bytes. Large buffers are expensive: V8 collects its whole heap each time a certain number of megabytes of them has
 * been allocated, and new memory is in no cache of the processor.
 *
 * In front of the chunk is headroom. The pending beginning of the frame that ends in the chunk is copied there, so that
 * neither is copied into a new buffer.
 */

/** More than most events have, and less than a tenth of what one read returns. */
const HEADROOM_BYTES = 4096

/** What one read of a connection returns at most: with TLS, a record. */
const READ_BYTES = { tls: 16 * 1024, tcp: 64 * 1024 }

/** The first read of an answer, with its head, is joined with the next one. */
const JOINED_BYTES = 2 * READ_BYTES.tcp

/** How much memory of one size waits to be used again: of several streams in bursts, each has a chunk under way. */
const MAX_SPARE_BYTES = 2 * 1024 * 1024

const HEADROOM = Symbol('headroom')
const END = Symbol('end')

/** The longest chunk that one read makes, with what was pending before it. */
export const CHUNK_BYTES = HEADROOM_BYTES + READ_BYTES.tcp

interface ChunkBuffer extends Buffer {
  /** Number of free bytes in front that belong to this buffer. */
  [HEADROOM]?: number
}

interface ChunkMemory extends ArrayBuffer {
  /** Where the chunk in this memory ends; `undefined` if the memory must not be used again. */
  [END]?: number | undefined
  /** From Node 22 on. */
  transfer?(length?: number): ArrayBuffer
}

/** Memory that is used again, by how much fits into it. */
const spare = new Map<number, ChunkMemory[]>([
  [READ_BYTES.tls, []],
  [READ_BYTES.tcp, []],
  [JOINED_BYTES, []],
])

/** Node's sockets keep nothing of what the system has taken. Those of other runtimes may. */
const isNode = !('Bun' in globalThis || 'Deno' in globalThis)

/** Copies a chunk that was read into memory of its own, with headroom. */
export function copyChunk(bytes: Buffer): Buffer {
  const copy = emptyChunk(bytes.length)
  copy.set(bytes)
  return copy
}

/** Joins chunks in memory of their own, with headroom. Nobody may need them any more. */
export function joinChunks(chunks: readonly Buffer[], size: number): Buffer {
  if (size < READ_BYTES.tls / 2) return Buffer.concat(chunks, size)
  const joined = emptyChunk(size)
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.length
    if ((chunk as ChunkBuffer)[HEADROOM] === HEADROOM_BYTES) takeBack(chunk, 0)
  }
  return joined
}

function emptyChunk(size: number): Buffer {
  const memory = memoryFor(size)
  const chunk: ChunkBuffer = Buffer.from(memory, HEADROOM_BYTES, size)
  chunk[HEADROOM] = HEADROOM_BYTES
  memory[END] = isNode ? HEADROOM_BYTES + size : undefined
  return chunk
}

/** Memory that is used again must not take much more than the chunk in it: others get memory of their size. */
function memoryFor(size: number): ChunkMemory {
  for (const [room, memories] of spare) {
    if (size <= room && size >= room / 2) return memories.pop() ?? newMemory(room)
  }
  return newMemory(size)
}

function newMemory(room: number): ChunkMemory {
  return Buffer.allocUnsafeSlow(HEADROOM_BYTES + room).buffer as ArrayBuffer
}

/**
 * Copies pieces of `size` bytes in total into a chunk's headroom. Headroom can be used once: afterwards the memory
 * belongs to the result.
 *
 * @returns the pieces and the chunk, in the chunk's own memory; `undefined` if its headroom is too small
 */
export function prependInPlace(pieces: readonly Buffer[], size: number, chunk: Buffer): Buffer | undefined {
  const room = (chunk as ChunkBuffer)[HEADROOM]
  if (room === undefined || room < size) return undefined
  ;(chunk as ChunkBuffer)[HEADROOM] = 0
  const whole = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset - size, size + chunk.length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** Notes that a part of a chunk is kept beyond the turn that writes it: its memory is never used again. */
export function retain(part: Buffer): void {
  const memory = part.buffer as ChunkMemory
  if (memory[END] !== undefined) memory[END] = undefined
}

/**
 * Takes back the memory of frames that the system has sent, if they are the rest of their chunk. All buffers in that
 * memory become empty, so that one that was forgotten never shows the bytes of another stream.
 *
 * @param heldBytes number of bytes after the frames that are kept as a copy
 */
export function takeBack(frames: Buffer, heldBytes: number): void {
  const memory = frames.buffer as ChunkMemory
  if (memory[END] !== frames.byteOffset + frames.length + heldBytes) return
  const memories = spare.get(memory.byteLength - HEADROOM_BYTES)
  if (!memories || memories.length * memory.byteLength >= MAX_SPARE_BYTES) {
    // In Node 20, V8 frees it when it collects its heap.
    memory.transfer?.(0)
    return
  }
  const detached = memory.transfer?.() ?? globalThis.structuredClone?.(memory, { transfer: [memory] })
  // Environments of tests may have neither, or a `structuredClone` that only copies, even into something else.
  if (detached && memory.byteLength === 0) memories.push(detached)
}
