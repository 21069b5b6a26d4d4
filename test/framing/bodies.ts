import { EventStreamCodec, type MessageHeaders } from '@smithy/eventstream-codec'
import fc from 'fast-check'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import type { Framing } from '../../lib/framing/index.js'
import { jsonArray } from '../../lib/framing/json-array.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { sse } from '../../lib/framing/sse.js'
import { type Plan, Planner } from './plan.js'

const codec = new EventStreamCodec(
  (input) => (typeof input === 'string' ? input : Buffer.from(input).toString()),
  (input) => Buffer.from(input),
)

/** A message of an AWS event stream, as AWS's own codec writes it. */
export function awsMessage(headers: Record<string, string>, body: Buffer | string = ''): Buffer {
  const typed: MessageHeaders = {}
  for (const [name, value] of Object.entries(headers)) typed[name] = { type: 'string', value }
  return Buffer.from(codec.encode({ headers: typed, body: Buffer.from(body as string) }))
}

/** An event of Bedrock's. */
export function awsEvent(data: string, event = 'contentBlockDelta'): Buffer {
  return awsMessage({ ':message-type': 'event', ':event-type': event, ':content-type': 'application/json' }, data)
}

/** Strings full of what a scanner must not fall for. */
const trap = fc.array(fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', '\n', 'ß', '🦆', 'x', ' '), { maxLength: 12 })
const jsonValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  trap.map((characters) => characters.join('')),
  trap.map((characters) => ({ [characters.join('')]: [characters.join(''), { deep: [[characters.join('')]] }] })),
)
const json = fc.tuple(jsonValue, fc.constantFrom(undefined, 1, '\t')).map(([value, indent]) => {
  return JSON.stringify(value, null, indent)
})
const space = fc.constantFrom('', ' ', '\n', '\r\n', '\t ')

const lineEnd = fc.constantFrom('\n', '\r\n')
const ndjsonPlan = fc
  .tuple(fc.array(fc.tuple(fc.oneof(json, space), lineEnd), { maxLength: 8 }), fc.oneof(json, space))
  .map(([lines, rest]): Plan => {
    const planner = new Planner()
    for (const [text, end] of lines) {
      const line = text.replace(/[\r\n]/g, ' ')
      planner.add(line + end, line.trim() !== '')
    }
    return planner.plan(rest.replace(/[\r\n]/g, ' '))
  })

const awsPlan = fc
  .tuple(
    fc.array(fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('event', 'exception', 'error')), {
      maxLength: 6,
    }),
    fc.nat(60),
  )
  .map(([messages, rest]): Plan => {
    const planner = new Planner()
    for (const [body, type] of messages) planner.add(awsMessage({ ':message-type': type }, Buffer.from(body)), true)
    return planner.plan(awsEvent('{"a":1}').subarray(0, rest))
  })

const isLiteral = (text: string) => !/^["[{]/.test(text)
const jsonArrayPlan = fc
  .tuple(space, fc.array(fc.tuple(space, json, space), { maxLength: 6 }), space, space)
  .map(([first, elements, beforeEnd, behind]): Plan => {
    const planner = new Planner()
    let before = `${first}[`
    for (const [space, element, after] of elements) {
      planner.add(before + space + element, true, isLiteral(element))
      before = `${after},`
    }
    planner.add(`${elements.length > 0 ? '' : before}${beforeEnd}]`, false)
    return planner.plan(behind)
  })
/** No array, where one may be: an error object, or objects one behind the other. */
const otherJsonPlan = fc
  .tuple(fc.array(fc.tuple(space, json), { maxLength: 3 }), fc.constantFrom('', ' ', '\r\n'))
  .filter(([values]) => !values.some(([, value]) => value.startsWith('[')))
  .map(([values, rest]): Plan => {
    const planner = new Planner()
    for (const [before, value] of values) planner.add(`\n${before}${value}`, true, isLiteral(value))
    return planner.plan(rest)
  })

const ssePlan = fc.array(fc.tuple(fc.constantFrom('data: ', ': '), json), { maxLength: 8 }).map((blocks): Plan => {
  const planner = new Planner()
  for (const [field, text] of blocks) planner.add(`${field}${text.replace(/\n/g, ' ')}\n\n`, field === 'data: ')
  return planner.plan()
})

/** Each framing, with bodies as they should come. */
export const framings: readonly (readonly [framing: Framing, plans: fc.Arbitrary<Plan>])[] = [
  [sse, ssePlan],
  [ndjson, ndjsonPlan],
  [awsEventStream, awsPlan],
  [jsonArray, fc.oneof({ weight: 3, arbitrary: jsonArrayPlan }, otherJsonPlan)],
]

/** Bytes of which some mean something in one framing or the other. */
export const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(
      fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', '1', '\n', '\r', ' ', ':', 'data: ', '\uFEFF', 'null', 'ß'),
      { maxLength: 60 },
    )
    .map((parts) => Buffer.from(parts.join(''))),
  fc
    .tuple(fc.array(fc.constant(awsEvent('{"a":1}')), { maxLength: 3 }), fc.uint8Array({ maxLength: 40 }))
    .map(([messages, bytes]) => Buffer.concat([...messages, bytes])),
)
