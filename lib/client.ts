export type { FetchLike } from './client/fetch-like.js'
export type {
  OnAbort,
  ResumableOptions,
  ResumeBackoff,
  StreamAddress,
  StreamInterruption,
  StreamResumption,
  StreamsUrl,
} from './client/options.js'
export { resumable } from './client/resumable.js'
export { ResumeError, type ResumeErrorDetails, type ResumeFailure } from './client/resume-error.js'
export { type StopOptions, type StreamHeaders, type StreamResponse, stop } from './client/stop.js'
