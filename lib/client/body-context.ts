import type { Environment } from './environment.js'
import type { EventSplitter } from './event-splitter.js'
import type { ResolvedOptions } from './options.js'
import type { StreamHandle } from './stream-handle.js'

/** What a body needs in addition to its first connection. */
export interface BodyContext {
  readonly handle: StreamHandle
  /** `undefined` if the body's format cannot be resumed: its bytes then pass as they come. */
  readonly splitter: EventSplitter | undefined
  readonly mediaType: string
  /** The caller's. */
  readonly signal: AbortSignal | undefined
  readonly options: ResolvedOptions
  readonly environment: Environment
}
