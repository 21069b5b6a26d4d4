import type { PricedUsage } from '../api/prices.js'

/**
 * Returns the names of the model that an exchange used. The provider's own counts most: the client may have used an alias, or
 * asked for the latest of a family.
 */
export function modelNames({ responseModel, attempts, target, model }: PricedUsage): readonly string[] {
  const asked = attempts.findLast((attempt) => attempt.target === target)?.model
  return [responseModel, asked, model].filter((name) => name !== undefined)
}
