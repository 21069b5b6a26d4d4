/** A figure that can be counted. Providers' figures come out of JSON, where `-1` and `1e999` are numbers, too. */
export function isCount(figure: number | undefined): figure is number {
  return figure !== undefined && figure > 0 && Number.isFinite(figure)
}

/** Metrics are in base units: https://prometheus.io/docs/practices/naming/#base-units */
export function seconds(ms: number): number {
  return ms / 1000
}
