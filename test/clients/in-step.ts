import assert from 'node:assert/strict'
import type { Provider } from '../e2e/support/provider.js'
import { storyPieces, type WireStream } from '../e2e/support/streams.js'
import { within } from '../e2e/support/waiting.js'

/**
 * Reads a stream whose provider writes each piece of text only when the client has got the one before: what arrives late
 * never arrives.
 *
 * @param textOf the text in an item of the stream
 * @returns all items
 */
export async function readInStep<T>(
  provider: Pick<Provider, 'next'>,
  { frames }: WireStream,
  stream: AsyncIterable<T>,
  textOf: (item: T) => string | undefined,
): Promise<T[]> {
  const reader = new Reader(stream, textOf)
  reader.begin()
  const call = await provider.next()
  for (const frame of frames) {
    call.send(frame)
    const piece = storyPieces.find((text) => frame.includes(`"${text}"`))
    if (piece !== undefined) assert.equal(await reader.nextText(), piece)
  }
  call.end()
  return reader.rest()
}

/** Looks at a stream item by item; not being read to its end, it is left alone. */
export class Reader<T> {
  readonly items: T[] = []
  readonly #iterator: AsyncIterator<T>
  readonly #textOf: (item: T) => string | undefined
  #pending: Promise<IteratorResult<T>> | undefined

  constructor(stream: AsyncIterable<T>, textOf: (item: T) => string | undefined) {
    this.#iterator = stream[Symbol.asyncIterator]()
    this.#textOf = textOf
  }

  /** Streams of some clients do nothing until they are read. */
  begin(): void {
    this.#pending = this.#iterator.next()
    this.#pending.catch(() => {})
  }

  /** The text of the next item that has one; `undefined` at the end. */
  async nextText(): Promise<string | undefined> {
    for (;;) {
      const next = this.#pending ?? this.#iterator.next()
      this.#pending = undefined
      const { done, value } = await within(next, 'the next item of the stream')
      if (done) return undefined
      this.items.push(value)
      const text = this.#textOf(value)
      if (text) return text
    }
  }

  /** Reads to the end. @returns all items of the stream */
  async rest(): Promise<T[]> {
    while ((await this.nextText()) !== undefined);
    return this.items
  }

  /** What `break` does in a `for await`. */
  async leave(): Promise<void> {
    await within(Promise.resolve(this.#iterator.return?.()), 'the stream to be left')
  }
}
