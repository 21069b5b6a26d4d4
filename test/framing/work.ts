/** Bytes that are joined or copied, and bytes that are searched, while `run` runs. */
export function work(run: () => void): { joined: number; searched: number } {
  let joined = 0
  let searched = 0
  const { concat } = Buffer
  const { copy, indexOf, includes, lastIndexOf } = Buffer.prototype
  const search = <R extends number | boolean>(native: (this: Buffer, value: number, from?: number) => R) =>
    function (this: Buffer, value: number, from = 0): R {
      const found = native.call(this, value, from)
      searched += typeof found === 'number' && found >= 0 ? found + 1 - from : this.length - from
      return found
    }
  Buffer.concat = (list, length) => {
    for (const { byteLength } of list) joined += byteLength
    return concat(list, length)
  }
  Buffer.prototype.copy = function (this: Buffer, ...given: Parameters<Buffer['copy']>) {
    const copied = copy.apply(this, given)
    joined += copied
    return copied
  }
  // Within, `includes` may be an `indexOf`: what is searched may count twice, not more.
  Object.assign(Buffer.prototype, {
    indexOf: search(indexOf as (value: number, from?: number) => number),
    includes: search(includes as (value: number, from?: number) => boolean),
    lastIndexOf: search(lastIndexOf as (value: number, from?: number) => number),
  })
  try {
    run()
  } finally {
    Buffer.concat = concat
    Object.assign(Buffer.prototype, { copy, indexOf, includes, lastIndexOf })
  }
  return { joined, searched }
}
