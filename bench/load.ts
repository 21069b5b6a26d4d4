/** The load: the process that has all the clients. Runs one job at a time, as the scenarios ask. */
import { burst } from './jobs/burst'
import { counted, gather, leave, whenEnded } from './jobs/crowd'
import { firstEvent } from './jobs/first-event'
import { small } from './jobs/small'
import { verify } from './jobs/verify'
import { answerWith } from './rpc'

const api = { burst, counted, firstEvent, gather, leave, small, verify, whenEnded }

export type LoadApi = typeof api
answerWith(api)
