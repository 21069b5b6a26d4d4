// One implementation, whichever way it is loaded, as in index.mts.
export type * from './opentelemetry.js'
export { openTelemetryObserver } from './opentelemetry.js'
