/**
 * Returns whether a figure can be counted. Providers' figures come from JSON, where `-1` and `1e999` are numbers too.
 */
export function isCount(figure: number | undefined): figure is number {
  return figure !== undefined && figure > 0 && Number.isFinite(figure)
}

/** Converts to seconds, because metrics use base units: https://prometheus.io/docs/practices/naming/#base-units */
export function seconds(ms: number): number {
  return ms / 1000
}
