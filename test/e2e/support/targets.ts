import type { AiProxyOptions, ExchangeRecord, TargetOptions } from '../../../lib/index.js'
import { type App, startApp } from './app.js'
import { openai } from './protocols.js'
import { type Call, type Owner, type Provider, startProvider } from './provider.js'

/** The keys of the two targets: neither may reach the other, or the client. */
export const KEYS = { a: 'key-of-a-0123456789', b: 'key-of-b-0123456789' } as const

const [hel, lo, end = ''] = openai.events

/** The answer of a good target in OpenAI's protocol. */
export const ANSWER = [hel, lo, end, openai.terminator].join('')

/** An event without content, as it begins a stream. */
export const ROLE = `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }] })}\n\n`

export const answer = (call: Call) => call.sse([hel, lo, end, openai.terminator]).end()

/** Refuses a request with an error in OpenAI's protocol. */
export const refuse =
  (status: number, message = `no ${status}`, headers: Record<string, string> = {}) =>
  (call: Call) =>
    call.json(status, { error: { message, type: 'error', param: null, code: null } }, headers)

export interface Pair {
  readonly a: Provider
  readonly b: Provider
  readonly app: App
}

interface PairOptions extends Partial<AiProxyOptions> {
  /** Further options of the two targets. */
  readonly ofA?: Partial<TargetOptions>
  readonly ofB?: Partial<TargetOptions>
  /** Further targets. */
  readonly more?: readonly TargetOptions[]
}

/** An app with two targets, of which `a` is asked first. Neither waits before it is asked again. */
export async function startPair(
  t: Owner,
  onA?: (call: Call) => unknown,
  onB: (call: Call) => unknown = answer,
  { ofA, ofB, more = [], retry, ...options }: PairOptions = {},
): Promise<Pair> {
  const a = await startProvider(t, onA && { onCall: onA })
  const b = await startProvider(t, { onCall: onB })
  const auth = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
  const app = await startApp(t, {
    targets: [
      { name: 'a', target: a.url, auth: auth(KEYS.a), ...ofA },
      { name: 'b', target: b.url, auth: auth(KEYS.b), priority: 1, ...ofB },
      ...more,
    ],
    retry: retry === false ? false : { backoffMs: [0, 0], ...retry },
    ...options,
  })
  return { a, b, app }
}

/** Target and code of each attempt: `a upstream_reset`, and `b` if it went well. */
export const attemptsOf = ({ attempts }: ExchangeRecord) =>
  attempts.map(({ target, status, code }) => [target, code ?? (status === 200 ? '' : status)].join(' ').trim())
