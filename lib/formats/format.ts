/** What a format needs to know of a failure to say it. */
export interface FailureNotice {
  /** Machine-readable name, stable: `idle_timeout`, `upstream_reset`, … */
  readonly code: string
  /** HTTP status that stands for it, also where the status line is long gone. */
  readonly status: number
  /** One sentence for people. */
  readonly message: string
}

/** What the frames of one provider protocol mean. Pure: bytes and objects in, bytes and objects out. */
export interface Format {
  readonly name: string
  /** The JSON body that says a failure where no answer has begun. */
  errorBody(failure: FailureNotice): unknown
  /** Whether a JSON body says an error in this protocol. */
  isErrorBody(body: unknown): boolean
  /** The event that says a failure within a running event stream, with an error body for its data; SDKs throw on it. */
  errorEvent(body: unknown): string
  /** Whether this event is the last one that the protocol sends in a stream. */
  isTerminator(event: Buffer): boolean
}
