import type { Exchange } from '../exchange/exchange.js'
import { answerEnd } from '../journal/answer-end.js'
import { Recorder } from '../journal/recorder.js'
import { subjectKey } from '../journal/stream-ids.js'
import type { ResponseController } from '../response/response-controller.js'
import { catchRejection } from '../util/promises.js'
import type { ProxyContext } from './context.js'
import { goneName, streamsUrlOf } from './stream-route.js'

/** How long it is known whose stream it was, after it is not kept any more: in windows. */
const REMEMBERED_WINDOWS = 12

/** Keeps the answer to a request for a stream, if the app lets clients continue it. */
export async function recordForResume(
  exchange: Exchange,
  controller: ResponseController,
  { config, journals }: ProxyContext,
): Promise<void> {
  const { resume } = config
  const journal = journals.resume
  if (!resume || !journal || !exchange.asksForStream || !resume.when(exchange.hookView())) return
  const asked = resume.who(exchange.hookView())
  const who = typeof asked === 'string' || asked === undefined ? asked : await asked
  if (who === undefined || exchange.isSettled) return
  const reader = subjectKey(who)
  const { windowMs, graceMs, maxBytes } = resume
  const keeps = config.onClientDisconnect === 'keep'
  const recorder = new Recorder({
    journal,
    path: exchange.path,
    model: exchange.model,
    maxBytes,
    keepMs: windowMs,
    graceMs: keeps ? graceMs : 0,
    resume: { reader, streamsUrl: streamsUrlOf(exchange), keeps },
    isShared: false,
    isHidden: undefined,
    endOf: (hasBegun) => answerEnd(exchange, hasBegun),
    onBegin: () => {
      const put = journal.put(goneName(recorder.id), reader, windowMs * REMEMBERED_WINDOWS)
      // The store reports its failures itself.
      catchRejection(put, () => {})
    },
    onEnded: () => {},
    onStop: () => controller.abort(),
  })
  controller.record(recorder)
}
