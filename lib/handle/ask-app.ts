import { appTimeout } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { ResponseController } from '../response/response-controller.js'

/**
 * Asks a function of the app. One that never answers must not hold the client, so it has a deadline: the exchange then fails
 * with an error that names the option.
 */
export async function askApp<T>(
  option: string,
  exchange: Exchange,
  controller: ResponseController,
  ask: () => T | Promise<T>,
): Promise<T> {
  const { deadlines, limits } = exchange
  deadlines.start('firstByte', limits.firstByteTimeoutMs, () => controller.fail(appTimeout([option], limits)))
  try {
    return await ask()
  } finally {
    deadlines.stop('firstByte')
  }
}
