import type { AiProxyOptions } from '../api/options.js'
import { detectFormat } from '../formats/index.js'
import type { CostOf } from '../pricing/pricing.js'
import type { Target } from './config.js'

/**
 * Returns the models that the options list by name and that have no price.
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
  const lacking = listed.filter((model) => {
    const serving = targets.map((target) => [target.name, target.models.modelFor(model)?.name ?? model] as const)
    return !serving.some(([target, name]) => hasPrice(target, model, name))
  })
  const ofTargets = targets.flatMap(({ name, models: { names, modelFor } }) =>
    (names ?? []).filter((model) => !hasPrice(name, model, modelFor(model)?.name ?? model)),
  )
  return [...new Set([...lacking, ...ofTargets])]
}

const ONE_OF_EACH = { uncachedInput: 1, cachedInput: 1, cacheWrite: 1, visibleOutput: 1, reasoning: 1, total: 5 }
