import type { Mutation } from './mutation.js'
import { cache } from './mutations/cache.js'
import { client } from './mutations/client.js'
import { credentials } from './mutations/credentials.js'
import { ends } from './mutations/ends.js'
import { formats } from './mutations/formats.js'
import { framing } from './mutations/framing.js'
import { join } from './mutations/join.js'
import { journal } from './mutations/journal.js'
import { limits } from './mutations/limits.js'
import { masking } from './mutations/masking.js'
import { memory } from './mutations/memory.js'
import { metering } from './mutations/metering.js'
import { prices } from './mutations/prices.js'
import { queue } from './mutations/queue.js'
import { quota } from './mutations/quota.js'
import { resume } from './mutations/resume.js'
import { retry } from './mutations/retry.js'
import { routing } from './mutations/routing.js'
import { scheduling } from './mutations/scheduling.js'

/**
 * Faults that must never go unnoticed. Each is one that somebody could make: a bound that is off by one, a condition that is
 * forgotten, a timer that stays, a secret that passes. One that changes nothing that anybody can see has no place here.
 */
export const mutations: readonly Mutation[] = [
  ...framing,
  ...scheduling,
  ...limits,
  ...credentials,
  ...masking,
  ...memory,
  ...retry,
  ...routing,
  ...ends,
  ...metering,
  ...formats,
  ...quota,
  ...queue,
  ...prices,
  ...journal,
  ...resume,
  ...cache,
  ...join,
  ...client,
]
