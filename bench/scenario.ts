/** What a scenario is: what it measures, and what must be reached. */

import type { Rig } from './rig'
import type { RunningProxy } from './running-proxy'

/** A goal: a bound on ours divided by plain's, or on our own figure. */
export type Goal = { ratio: number } | { value: number }

/** A line of the report: one figure of a scenario. */
export interface Row {
  label: string
  /** Which of the scenario's figures it is. */
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
  /** Measures once, within half a minute; throws if a stream was not carried whole. */
  measure(rig: Rig, proxy: RunningProxy): Promise<Figures>
}
