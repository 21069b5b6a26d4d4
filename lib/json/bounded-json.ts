/**
 * Returns the beginning of a value's JSON: like `JSON.stringify`, but it stops after about `maxChars` characters,
 * however large and however deeply nested the value is.
 */
export function boundedJson(value: unknown, maxChars: number): string {
  const parts: string[] = []
  let left = maxChars
  const write = (text: string) => {
    parts.push(text.length > left ? text.slice(0, left) : text)
    left -= text.length
  }
  /** What is still to be written, the next one last. */
  const waiting: (string | { readonly value: unknown })[] = [{ value }]
  while (waiting.length > 0 && left > 0) {
    const next = waiting.pop()!
    if (typeof next === 'string') {
      write(next)
      continue
    }
    const { value: each } = next
    if (typeof each === 'string') write(JSON.stringify(each.slice(0, left)))
    else if (Array.isArray(each))
      push(
        waiting,
        '[',
        each.slice(0, left).map((item) => [{ value: item as unknown }]),
        ']',
      )
    else if (typeof each === 'object' && each !== null) {
      const fields = Object.entries(each).slice(0, left)
      push(
        waiting,
        '{',
        fields.map(([name, item]) => [`${JSON.stringify(name)}:`, { value: item as unknown }]),
        '}',
      )
    } else write(String(each))
  }
  return parts.join('')
}

type Waiting = (string | { readonly value: unknown })[]

function push(waiting: Waiting, open: string, items: readonly Waiting[], close: string): void {
  const all: Waiting = [open]
  for (const [at, item] of items.entries()) all.push(...(at > 0 ? [','] : []), ...item)
  all.push(close)
  for (let at = all.length - 1; at >= 0; at--) waiting.push(all[at]!)
}
