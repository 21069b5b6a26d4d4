import type { Scenario } from '../scenario'
import { PATHS } from '../wire'

const BURSTING = 20
/** Enough concurrent chats for several events above the p99. */
const CHATS = 4
/** Until the code that handles bursts is compiled. */
const WARM_UP_MS = 4000
const FOR_MS = 2500

/** How twenty bursting streams affect a person who reads a chat: how late the events of the chat arrive. */
export const chatBesideBursts: Scenario = {
  name: 'chat-20',
  rows: [
    {
      label: 'a chat (an event each 20 ms) beside 20 bursting streams: how late its events are, p99',
      metric: 'lateP99',
      unit: 'ms',
      better: 'lower',
      must: { ratio: 0.1 },
      aim: { value: 10 },
    },
  ],
  async measure({ load, chat }, { port }) {
    const job = { port, path: PATHS.proxy }
    await load.ask('burst', { ...job, streams: BURSTING, model: 'burst-short', rounds: 2, forMs: WARM_UP_MS })
    await chat.ask('startChat', { ...job, chats: CHATS })
    await chat.ask('resetChat', null)
    await load.ask('burst', { ...job, streams: BURSTING, model: 'burst', rounds: 1, forMs: FOR_MS })
    const { p99Ms, medianMs, events } = await chat.ask('stopChat', null)
    return { lateP99: p99Ms, lateMedian: medianMs, chatEvents: events }
  },
}
