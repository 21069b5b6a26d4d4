import type { Call } from '../e2e/support/provider.js'
import { begins, drips, gets, gone, isTold, leavesAfter } from './acts.js'
import { DONE, ERROR, EVENT, ROLE } from './events.js'
import type { Kind } from './kinds.js'
import { targetOf } from './targets.js'

type Act = (call: Call) => unknown

/** Lets each target act for itself. */
const by = (acts: Readonly<Record<string, Act>>) => (call: Call) => acts[targetOf(call)]!(call)

const refuses = (status: number) => (call: Call) => call.json(status, { error: { message: 'Not now' } })
const answers: Act = (call) => call.sse([ROLE]).end(EVENT.repeat(20) + DONE)
/** Its head arrives, and a sign of life, and nothing else. */
const isSlow: Act = (call) => call.sse([': ping\n\n'])
const diesBeforeContent: Act = (call) => call.sse([ROLE]).res.write(': ping\n\n', () => call.reset())
const diesAfterContent: Act = (call) => begins(call).res.write('data: half', () => call.reset())

/** A faulty target, whose place a healthy one takes: the client gets the answer of that one, and nothing else. */
const takesOver = (faulty: Act, mount: Kind['mount'] = 'fallback'): Kind => ({
  mount,
  ends: 'completed',
  act: by({ faulty, healthy: answers }),
  goes: gets(200, 20),
})

/** Kinds of exchanges with several targets. Which of them are asked depends on those that cool. */
export const routedKinds: Record<string, Kind> = {
  'next after a 429': takesOver(refuses(429)),
  'next after a 503': takesOver(refuses(503)),
  'next after a 401': takesOver(refuses(401)),
  'next after an error event': takesOver((call) => call.sse([ROLE, ERROR]).end()),
  'next after an empty stream': takesOver((call) => call.sse([ROLE]).end()),
  'next after a reset': takesOver((call) => call.reset()),
  'next after a reset without content': takesOver(diesBeforeContent),
  'next after no first token': takesOver(isSlow, 'hurried'),
  'json after a 503': {
    ...takesOver(refuses(503)),
    act: by({ faulty: refuses(503), healthy: (call) => call.json(200, { usage: {} }) }),
    goes: gets(200, 0),
  },
  hedged: {
    ...takesOver(isSlow, 'hedged'),
    goes: async (client, call) => {
      await gets(200, 20)(client)
      // The slow one, which was asked first.
      await gone(call)
    },
  },
  'one of four is healthy': {
    mount: 'mixed',
    ends: 'completed',
    act: by({ failing: refuses(503), slow: isSlow, dying: diesBeforeContent, healthy: answers }),
    goes: gets(200, 20),
  },
  'all refuse': { mount: 'fallback', ends: 'provider_error', act: refuses(503), goes: gets(503, 0) },
  'dies after content': {
    mount: 'fallback',
    ends: 'upstream_error upstream_reset',
    act: diesAfterContent,
    goes: isTold(200, 'upstream_reset'),
  },
  'leaves before content': {
    mount: 'fallback',
    ends: 'client_disconnect',
    act: (call) => call.sse([ROLE]),
    goes: async (client, call) => {
      await call
      client.leave()
      await gone(call)
    },
  },
  'leaves the next one': {
    mount: 'fallback',
    ends: 'client_disconnect',
    act: by({ faulty: (call) => call.reset(), healthy: (call) => drips(call, 400) }),
    goes: leavesAfter(2000),
  },
  'shut down while the next one is waited for': {
    mount: 'rerouting',
    ends: 'shutdown shutting_down',
    act: by({ faulty: refuses(429), healthy: () => {} }),
    goes: isTold(503, 'shutting_down'),
  },
}
