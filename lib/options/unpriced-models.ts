import type { AiProxyOptions } from '../api/options.js'
import { detectFormat } from '../formats/index.js'
import type { CostOf } from '../pricing/pricing.js'
import type { Target } from './config.js'

/**
 * Returns the models that the options list by name and that have no price, with the name that a target is asked for if that is
 * another: `fast (gpt-4.1-mini)`.
 *
 * @param models the option
 */
export function unpricedModels(
  models: AiProxyOptions['models'],
  targets: readonly Pick<Target, 'name' | 'models'>[],
  costOf: CostOf | undefined,
): readonly string[] {
  if (!costOf) return []
  const hasPrice = (target: string | undefined, model: string, responseModel: string) => {
    const { name: format } = detectFormat('/')
    const none = { stream: false, path: '/', subject: undefined, tenant: undefined, usage: undefined, attempts: [] }
    return costOf({ ...none, model, responseModel, target, format, tokens: ONE_OF_EACH }).cost !== undefined
  }
  const listed = Array.isArray(models) ? models.filter((rule): rule is string => typeof rule === 'string') : []
  const ofTargets = targets.flatMap(({ name: target, models: { names, modelFor } }) =>
    [...listed, ...(names ?? [])].flatMap((model) => {
      const served = modelFor(model)
      if (!served || hasPrice(target, model, served.name ?? model)) return []
      return served.name === undefined || served.name === model ? [model] : [`${model} (${served.name})`]
    }),
  )
  const unserved = listed.filter((model) => targets.every(({ models }) => !models.modelFor(model)))
  return [...new Set([...ofTargets, ...unserved.filter((model) => !hasPrice(undefined, model, model))])]
}

const ONE_OF_EACH = { uncachedInput: 1, cachedInput: 1, cacheWrite: 1, visibleOutput: 1, reasoning: 1, total: 5 }
