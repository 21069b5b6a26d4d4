/** The scenarios: what is measured, and which goals it has. A scenario does not know which proxy it measures. */

import type { Scenario } from './scenario'
import { burst20, burst200 } from './scenarios/burst'
import { chatBesideBursts } from './scenarios/chat'
import { crowd1000 } from './scenarios/crowd'
import { drip200, drip500 } from './scenarios/drip'
import { leave30 } from './scenarios/leave'
import { silent5000 } from './scenarios/silent'
import { firstEvent, firstOf4000, small } from './scenarios/single'
import { stalled40 } from './scenarios/stalled'

export const scenarios: Scenario[] = [
  burst20,
  burst200,
  chatBesideBursts,
  drip500,
  drip200,
  small,
  firstEvent,
  silent5000,
  stalled40,
  leave30,
  crowd1000,
  firstOf4000,
]

/** Those that a whole run measures. */
export const usualScenarios = scenarios.filter(({ of }) => of === undefined)
