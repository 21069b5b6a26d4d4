export {
  type AppLabelOptions,
  type ModelNameOptions,
  type PrometheusObserver,
  type PrometheusObserverOptions,
  prometheusObserver,
} from './metrics/prometheus-observer.js'
