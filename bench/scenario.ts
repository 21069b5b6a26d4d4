/** A scenario: what it measures, and which goals it has. */

import type { Variant } from './contenders'
import type { Rig } from './rig'
import type { RunningProxy } from './running-proxy'

/** A goal: a bound on our figure divided by plain's, or on our own figure. */
export type Goal = { ratio: number } | { value: number }

/** A line of the report: one figure of a scenario. */
export interface Row {
  label: string
  /** The name of the scenario's figure. */
  metric: string
  unit: string
  better: 'higher' | 'lower'
  must: Goal
  aim: Goal
}

/** Figures by name. */
export type Figures = Record<string, number>

export interface Scenario {
  name: string
  rows: Row[]
  /** The variant of ours that the goals are about. A whole run leaves the scenario out: variants take part only if named. */
  of?: Variant
  /** Runs before anything is measured. Default: `streamRequests`. */
  warmUp?(rig: Rig, proxy: RunningProxy): Promise<unknown>
  /**
   * How often `warmUp` runs, with the contenders in turns. A process that idles for eight seconds, while others warm up,
   * gives back memory, and with it compiled code. Default 1.
   */
  warmUpTurns?: number
  /**
   * How often the contenders take turns within a round, side by side: the figures are medians of short windows, so that
   * a machine that is slow for a while is slow for all of them. Without it, each is measured once, on its own.
   */
  windows?: number
  /** Measures once, within half a minute. Throws if a stream did not arrive whole. */
  measure(rig: Rig, proxy: RunningProxy): Promise<Figures>
}
