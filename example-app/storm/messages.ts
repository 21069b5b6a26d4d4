/** The messages between the processes of a storm. */

/** What happens in a storm. */
export const kinds = ['burst', 'leave', 'stall', 'break', 'outage'] as const
export type Kind = (typeof kinds)[number]

/** The two proxies, in the order in which they run. */
export const contenders = ['ours', 'plain'] as const
export type Contender = (typeof contenders)[number]

/** The providers of an outage. The first is killed; in the other kinds of storm, it is the only one. */
export const providerNames = ['first', 'second'] as const
export type ProviderName = (typeof providerNames)[number]

/** What the provider reports, several times a second. */
export interface ProviderState {
  port: number
  /** Streams that it is generating. */
  generating: number
  /** When the last of them ended, in milliseconds since the epoch. */
  idleSince: number
}

/** What a proxy reports. */
export interface ContenderState {
  port: number
  /** Memory of its process, in bytes. */
  rssBytes: number
}

/** What the clients report. */
export interface ClientsState {
  isWarm: boolean
  receivedBytes: number
  /** Streams that ended, however. */
  ended: number
  /** Those of them that ended with an error event. */
  toldError: number
  /** Those of them that were cut off. */
  cut: number
  /** Requests that got no stream. */
  refused: number
  /** The last bytes that one of the clients got before its stream broke off. */
  tail: string
  /** In an outage: how the requests have gone. */
  tally?: Tally
}

/** How the requests of an outage have gone. */
export interface Tally {
  /** Requests that the first provider answered. */
  first: number
  /** Requests that the second one answered. */
  second: number
  /** Requests whose client got an error in place of an answer. */
  error: number
  /** Requests whose client got the beginning of an answer, and not the rest. */
  cutMidAnswer: number
  underWay: number
  /** Whether the clients ask nothing more. */
  isFinishing: boolean
}

/** What the clients are to do. */
export type ClientsCommand =
  | { command: 'warm-up'; url: string }
  | { command: 'start'; url: string; kind: Kind; streams: number }
  | { command: 'leave' }
  | { command: 'finish' }
