/** The load: the process with all the clients. Runs one job at a time, on request of the scenarios. */
import { burst } from './jobs/burst'
import { counted, gather, leave, whenEnded } from './jobs/crowd'
import { firstEvent } from './jobs/first-event'
import { small } from './jobs/small'
import { verify } from './jobs/verify'
import { answerWith } from './rpc'

const api = { burst, counted, firstEvent, gather, leave, small, verify, whenEnded }

export type LoadApi = typeof api
answerWith(api)
