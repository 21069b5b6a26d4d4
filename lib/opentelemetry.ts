export {
  type ModelNameOptions,
  type OpenTelemetryObserverOptions,
  openTelemetryObserver,
} from './metrics/opentelemetry-observer.js'
