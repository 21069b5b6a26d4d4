import type { IncrementalTask } from '../util/incremental-task.js'
import { type Bounds, JsonSurvey } from './survey.js'

const STEP_BYTES = 64 * 1024

/** Runs a survey in steps that take a bounded time. */
export function* surveyInSteps(survey: JsonSurvey): IncrementalTask<void> {
  while (!survey.advance(STEP_BYTES)) yield
}

/** Returns whether a JSON text exceeds limits. */
export function exceeds(bytes: Buffer, bounds: Partial<Bounds>): boolean {
  const survey = new JsonSurvey(bytes, [], bounds)
  survey.advance()
  return survey.exceeded !== undefined
}
