import assert from 'node:assert/strict'
import { isEnd, isError, isTerminator, protocolOf } from './answers.js'
import { CLIENT_KEY, type Evidence, type ScriptedAttempt } from './run-script.js'
import type { Script } from './scripts.js'

/** Asserts all that must hold whatever the targets do. */
export function assertSound(script: Script, evidence: Evidence): void {
  assert.equal(evidence.records.length, 1, 'there is one record')
  assertNothingLeft(evidence)
  assertKeysKept(evidence)
  assertAttempts(script, evidence)
  assertAnswer(script, evidence)
}

function assertNothingLeft({ stats, open }: Evidence): void {
  assert.equal(open, 0, 'connections to providers that are not done are closed')
  const { active, streams, heldBytes, waitingForDrain, exchanges } = stats
  const inFlight = stats.targets.map((target) => target.inFlight)
  assert.deepEqual(
    { active, streams, heldBytes, waitingForDrain, exchanges, inFlight },
    { active: 0, streams: 0, heldBytes: 0, waitingForDrain: 0, exchanges: 1, inFlight: inFlight.map(() => 0) },
  )
}

function assertKeysKept({ attempts, strays, client }: Evidence): void {
  assert.deepEqual(strays, [])
  for (const { target, seen } of attempts) {
    for (const request of seen) {
      assert.equal(request.target, target, 'the key of a target goes to that target')
      assert.ok(!(request.head + request.body).includes(CLIENT_KEY), "the client's key stays here")
      assert.equal(request.body, attempts.find((each) => each.seen.length > 0)!.seen[0]!.body)
    }
  }
  assert.doesNotMatch(JSON.stringify(client.headers) + client.body, /key-of-/)
}

/** Codes of attempts that may have ended before their request arrived at the target. */
const EARLY: ReadonlySet<string | undefined> = new Set([
  ...['abandoned', 'unprepared', 'outrun', 'aborted', 'client_disconnect'],
  ...['first_byte_timeout', 'first_token_timeout'],
])

function assertAttempts(script: Script, { attempts, records, client, stats }: Evidence): void {
  const { setUp, targets } = script
  const recorded = records[0]!.attempts
  const allowed = setUp.withinMs === 0 ? 1 : setUp.attempts
  assert.ok(recorded.length <= allowed, `${recorded.length} attempts, of ${allowed} that are allowed`)
  const names = recorded.map(({ target }) => target)
  // One that has ended at once has no credentials yet.
  const prepared = attempts.map(({ target }) => `t${target}`)
  assert.deepEqual(names.slice(0, prepared.length), prepared)
  for (const { code } of recorded.slice(prepared.length)) assert.ok(EARLY.has(code), `not asked, and ${code}`)
  assert.equal(
    stats.targets.reduce((sum, target) => sum + target.attempts, 0),
    recorded.length,
  )
  // Each target is asked twice at most, in their order.
  const order = [...new Set(names)]
  assert.deepEqual(order, targets.map((_, at) => `t${at}`).slice(0, order.length))
  for (const name of order) assert.ok(names.filter((each) => each === name).length <= 2, `${name} was asked twice`)
  if (!setUp.hedge) assert.deepEqual(names, [...names].sort())

  for (const [at, { step, answer, length, seen }] of attempts.entries()) {
    const { status, code, hedged } = recorded[at]!
    assert.ok(!hedged || setUp.hedge)
    if (code === 'unprepared') assert.deepEqual(seen, [], `the target has not seen attempt ${at}`)
    if (code !== undefined && EARLY.has(code)) continue
    if (typeof step === 'string') {
      const expected = step === 'refuses' ? 'upstream_unreachable' : 'credentials_unavailable'
      assert.deepEqual([status, code, seen.length], [undefined, expected, 0])
      continue
    }
    // A connection from the pool that breaks at once may have been dead before: the request is then sent again.
    const stale = seen.filter(({ isReused }) => isReused && length === 0).length
    assert.ok(seen.length >= 1 && seen.length - stale <= 1, `the target saw attempt ${at} once`)
    const headEnd = answer!.wire.indexOf('\r\n\r\n') + 4
    // What rejects our request for usage is looked into; if it breaks off there, it is no answer.
    if (code === 'upstream_reset' && status === undefined && [400, 422].includes(answer!.status)) continue
    assert.equal(status, length >= headEnd ? answer!.status : undefined)
  }
  if (!client.hasLeft) return
  assert.ok(attempts.every(({ seen }) => seen.length <= 2))
}

function assertAnswer(script: Script, evidence: Evidence): void {
  const { client, attempts, records } = evidence
  const record = records[0]!
  if (client.status === undefined) {
    // What breaks off may do so before its first bytes have left.
    assert.ok(client.hasLeft || record.code !== undefined, 'the client gets an answer')
    return
  }
  if (!client.hasLeft) assert.equal(record.status, client.status)
  const mark = client.headers['x-call-id']
  const isEvents = /^text\/event-stream/.test(client.headers['content-type'] ?? '')
  const served = attempts.filter(({ answer }) => answer && (mark === answer.mark || client.body.includes(answer.mark)))
  assert.ok(served.length <= 1, 'the answer is that of one attempt')
  const [attempt] = served
  if (attempt) {
    assert.equal(record.target, `t${attempt.target}`)
    if (!client.hasLeft && !isEvents) assert.equal(client.status, attempt.answer!.status)
  }
  if (isEvents) assertEvents(script, evidence, attempt)
  else if (attempt) assertBody(evidence, attempt)
  else assertOwnError(script, evidence)
  if (!client.hasLeft) assertUseful(script, evidence, attempt)
}

function assertBody({ client, records }: Evidence, { answer, length }: ScriptedAttempt): void {
  const { body, isCloseDelimited, wire } = answer!
  const record = records[0]!
  const isWhole = length === wire.length
  assert.ok(body.startsWith(client.body), 'the body is a part of the answer')
  if (client.hasLeft) return
  if (client.isComplete && (isWhole || !isCloseDelimited)) assert.equal(client.body, body)
  if (isWhole && record.outcome === 'completed') assert.equal(client.body, body)
  if (!client.isComplete) assert.ok(record.code !== undefined, 'what breaks off has a code')
}

function assertOwnError(script: Script, { client, records }: Evidence): void {
  if (client.hasLeft && client.body === '') return
  const record = records[0]!
  if (!client.hasLeft) assert.ok(client.isComplete)
  if (client.hasLeft && !client.isComplete) return
  const { code } = protocolOf[script.protocol].errorIn(JSON.parse(client.body))
  if (!client.hasLeft) assert.equal(code, record.code)
}

function assertEvents(
  script: Script,
  { client, records, attempts }: Evidence,
  attempt: ScriptedAttempt | undefined,
): void {
  const record = records[0]!
  const protocol = protocolOf[script.protocol]
  const texts = client.body.split(/(?<=\n\n)/)
  if (client.hasLeft && texts.length > 0 && !texts.at(-1)!.endsWith('\n\n')) texts.pop()
  for (const text of texts) assert.match(text, /\n\n$/, 'events are whole')
  // Heartbeats are ours; the comments of targets have a mark.
  const events = texts.filter(
    (text) => !/^:[^\n]*\n\n$/.test(text) || attempts.some(({ answer }) => answer && text.includes(answer.mark)),
  )
  const sent = attempt?.answer?.events ?? []
  let shared = 0
  while (shared < events.length && events[shared] === sent[shared]) shared++
  const rest = events.slice(shared)
  assert.ok(rest.length <= 1, `at most one event is ours: ${rest.join('')}`)
  const [own] = rest
  // What a provider said instead of a stream goes on in an event, whatever it is.
  const isTheirs =
    own !== undefined && (attempt ? !attempt.answer!.events : attempts.some((each) => isBeginningOf(each, own)))
  if (own !== undefined && !isTheirs) {
    assert.equal(protocol.errorInEvent(own).code, record.code)
    assert.ok(!attempt || !own.includes(attempt.answer!.mark))
  }
  if (client.hasLeft) return
  // After an error in place of a stream, the connection may break as the provider's did.
  const mayBreak = record.providerStatus !== undefined && record.providerStatus >= 300
  if (!mayBreak) assert.ok(client.isComplete, 'the stream ends well in HTTP')
  const theirs = sent.slice(0, shared)
  if (own === undefined)
    assert.ok(theirs.some(isEnd), `the stream has an end; outcome ${record.outcome} ${record.code}`)
  else assert.ok(!theirs.some((event) => isTerminator(event) || isError(event)), 'it has one end')
  if (record.outcome === 'completed' && !isTheirs) assert.equal(own, undefined)
}

/** Returns whether an event is the beginning of a text that the end of its connection has cut, before its mark. */
function isBeginningOf({ answer, length }: ScriptedAttempt, event: string): boolean {
  if (!answer?.isCloseDelimited || answer.events || length === answer.wire.length) return false
  return answer.body.startsWith(event.replace(/^data: /, '').trimEnd())
}

/** Failures after which no other target is asked. */
function isFinal(status: number): boolean {
  if (status < 300) return status === 204
  const passing = [401, 402, 403, 408, 429, 500, 502, 503, 504, 529, 520, 521, 522, 523, 524, 525, 526, 527, 598, 599]
  return !passing.includes(status)
}

/** Asserts that nothing is given up too early, and that the client then gets the first error of a provider. */
function assertUseful(script: Script, { attempts, records }: Evidence, attempt: ScriptedAttempt | undefined): void {
  const { setUp, targets } = script
  const record = records[0]!
  const recorded = record.attempts
  const isError = attempt ? attempt.answer!.status >= 400 : true
  if (!isError || setUp.hedge || setUp.withinMs === 0) return
  const last = recorded.at(-1)!
  const isDone =
    recorded.length === setUp.attempts ||
    new Set(recorded.map(({ target }) => target)).size === targets.length ||
    (last.status !== undefined && isFinal(last.status))
  // A bound may have let it through before its first content.
  const mayHaveBegun = last.status !== undefined && last.status < 400 && Object.keys(setUp.preamble).length > 0
  assert.ok(isDone || mayHaveBegun, `gave up after ${recorded.length} attempts: ${JSON.stringify(recorded)}`)
  if (mayHaveBegun || (last.status !== undefined && last.status < 400 && isFinal(last.status))) return
  // On a busy machine an error may come too late to be kept, as a whole answer may.
  const isLate = recorded.some(({ code }, at) => code === 'first_byte_timeout' && !isStalled(attempts[at]))
  if (isLate) return
  const spoke = attempts.findIndex(
    ({ answer, length }, at) =>
      answer && answer.status >= 400 && length === answer.wire.length && recorded[at]?.status === answer.status,
  )
  if (spoke < 0) return
  // A body that only the connection's end ends may have been cut: what resets a connection may end it properly first.
  const { target, providerStatus } = record
  // If the response was open already, the client gets the error as an event.
  const byRecord = recorded.findIndex((each) => each.target === target && each.status === providerStatus)
  const served = attempt ? attempts.indexOf(attempt) : byRecord
  if (served >= 0 && served < spoke && attempts[served]!.answer!.isCloseDelimited) return
  assert.deepEqual(
    [record.target, record.providerStatus],
    [`t${attempts[spoke]!.target}`, attempts[spoke]!.answer!.status],
    'the client gets the first error that a provider said',
  )
}

function isStalled(attempt: ScriptedAttempt | undefined): boolean {
  return attempt === undefined || (typeof attempt.step !== 'string' && attempt.step.cut?.how === 'stall')
}
