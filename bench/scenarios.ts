/** The scenarios: what is measured, and what must be reached. Each knows nothing of which proxy it measures. */

import type { Rig } from './rig'
import type { RunningProxy } from './running-proxy'
import { burst20, burst200 } from './scenarios/burst'
import { chatBesideBursts } from './scenarios/chat'
import { drip500 } from './scenarios/drip'
import { leave30 } from './scenarios/leave'
import { silent5000 } from './scenarios/silent'
import { firstEvent, small } from './scenarios/single'
import { stalled40 } from './scenarios/stalled'

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

export const scenarios: Scenario[] = [
  burst20,
  burst200,
  chatBesideBursts,
  drip500,
  small,
  firstEvent,
  silent5000,
  stalled40,
  leave30,
]
