import fc from 'fast-check'

/** JSON text in its parts, as a client may spell it, and changed versions of it. */
export type Spelled = SpelledObject | SpelledList | string

export interface SpelledObject {
  readonly members: readonly (readonly [before: string, value: Spelled, after: string])[]
  /** White space before the closing brace. */
  readonly tail: string
}

interface SpelledList {
  readonly items: readonly (readonly [before: string, value: Spelled, after: string])[]
  readonly tail: string
}

export function written(json: Spelled): string {
  if (typeof json === 'string') return json
  const [open, close, members] =
    'members' in json ? (['{', '}', json.members] as const) : (['[', ']', json.items] as const)
  return open + members.map(([before, value, after]) => before + written(value) + after).join(',') + json.tail + close
}

const space = fc.constantFrom('', '', ' ', '\n  ', '\t', '\r\n')

const scalar = fc.constantFrom(
  ...[
    '0',
    '-0',
    '1.0',
    '1e3',
    '1E+2',
    '1e999',
    '1152921504606846976',
    '12345678901234567890',
    '0.1e-7',
    'true',
    'null',
  ],
  ...['""', '"a"', String.raw`"\u0061\/"`, String.raw`"\"},{\\"`, '"größe 漢字 👋"', String.raw`"\ud800"`, '"[,]"'],
)

/** Field names: inherited by every object, resembling indexes, or escaped. */
const names = ['a', 'b', 'model', '__proto__', 'constructor', '2', '10', '1', 'größe', '', 'a"b', 'toJSON']
const name = fc.constantFrom(...names)
const spelledName = (text: string, isEscaped: boolean) =>
  isEscaped
    ? `"${[...text].map((letter) => (letter.length === 1 ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` : letter)).join('')}"`
    : JSON.stringify(text)

const { value } = fc.letrec<{ value: Spelled }>((tie) => {
  const member = fc.tuple(name, fc.boolean(), fc.tuple(space, space, space, space), tie('value'))
  const object = fc
    .tuple(fc.uniqueArray(member, { selector: ([text]) => text, maxLength: 5 }), space)
    .map(([members, tail]): Spelled => {
      const last = members.length - 1
      return {
        members: members.map(([text, isEscaped, [a, b, c, d], inner], at) => [
          `${a}${spelledName(text, isEscaped)}${b}:${c}`,
          inner,
          at === last ? '' : d,
        ]),
        tail,
      }
    })
  const list = fc
    .tuple(fc.array(fc.tuple(space, tie('value'), space), { maxLength: 5 }), space)
    .map(([items, tail]): Spelled => {
      const last = items.length - 1
      return { items: items.map(([before, inner, after], at) => [before, inner, at === last ? '' : after]), tail }
    })
  return { value: fc.oneof({ maxDepth: 4 }, { arbitrary: scalar, weight: 2 }, object, list) as fc.Arbitrary<Spelled> }
})

/** Any JSON value, spelled in any way. */
export const spelledJson = value

/** Any JSON object, spelled in any way. */
export const spelledObject = value.filter(
  (json): json is SpelledObject => typeof json !== 'string' && 'members' in json,
)

export const fieldNames = names
