export {
  type AppLabelOptions,
  type ModelNameOptions,
  type OpenTelemetryObserverOptions,
  openTelemetryObserver,
} from './metrics/opentelemetry-observer.js'
