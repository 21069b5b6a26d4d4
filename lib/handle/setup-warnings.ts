import type { Server } from 'node:http'
import type { Exchange } from '../exchange/exchange.js'
import type { Config } from '../options/config.js'
import { debug } from '../util/debug.js'
import { type SetupWarningCode, warn } from '../util/warn.js'

/** Warnings about a server or an app that is not set up for streams. */
const warnings: Readonly<Record<SetupWarningCode, string>> = {
  AI_PROXY_BODY_CONSUMED:
    'A middleware before aiProxy has read a request body that is not JSON, and has kept nothing of it. ' +
    'Mount aiProxy before it, or keep the bytes as req.rawBody.',
  AI_PROXY_CANNOT_FLUSH:
    'A middleware before aiProxy compresses the stream and has no res.flush(): events may arrive late, many at once. ' +
    'Mount aiProxy before it, or use the package compression.',
  AI_PROXY_SERVER_TIMEOUT:
    'server.timeout closes connections that are silent for that long, and is shorter than the provider may be ' +
    'silent (limits.firstByteTimeoutMs, limits.idleTimeoutMs). Raise it, or set heartbeat: { everyMs, beforeFirstByte }.',
  AI_PROXY_KEEP_ALIVE:
    'server.keepAliveTimeout is shorter than the 60 s after which load balancers close idle connections: they may ' +
    'send requests on connections that the server is just closing (502). Set it to 65000.',
  AI_PROXY_NO_EVENTSTREAM_CODEC:
    'AWS event streams are forwarded without reading them, because @smithy/eventstream-codec cannot be loaded. ' +
    'To read them: npm install @smithy/eventstream-codec',
  AI_PROXY_PRICE_UNKNOWN:
    'A model that the options list has no price in `prices`: its exchanges have no cost, and limits on money refuse them. ' +
    'Add its price, or set unknownPrice.',
  AI_PROXY_TRUST_PROXY:
    "Requests come through a reverse proxy (x-forwarded-for), and the app's `trust proxy` is not set: req.ip is the proxy's.",
}

/** AWS's ALB, nginx and most others close a connection after this idle time, or a longer one. */
const LOAD_BALANCER_IDLE_MS = 60_000

/** Warns developers, once for each mistake, about a set-up in which streams do not work as they should. */
export class SetupWarnings {
  readonly #reported = new Set<SetupWarningCode>()
  readonly #silenced: Config['silencedWarnings']
  #hasSeenServer = false

  /** @param silenced codes of the warnings that the app has turned off */
  constructor(silenced: Config['silencedWarnings']) {
    this.#silenced = silenced
  }

  /** @param detail stands below the message */
  report(code: SetupWarningCode, detail?: string): void {
    if (this.#reported.has(code) || this.#silenced.has(code)) return
    this.#reported.add(code)
    debug.request('%s: %s', code, warnings[code])
    warn(code, warnings[code], detail)
  }

  /** Inspects what a request reveals about the app and its server. */
  inspect({ req, client }: Pick<Exchange, 'req' | 'client'>, config: Config): void {
    const isForwarded = client.headers['x-forwarded-for'] !== undefined
    const { server } = client.socket as { server?: Server }
    if (!this.#hasSeenServer && server) {
      this.#hasSeenServer = true
      if (stopsHeartbeat(server, config)) this.report('AI_PROXY_SERVER_TIMEOUT')
    }
    if (!isForwarded) return
    if (server && server.keepAliveTimeout > 0 && server.keepAliveTimeout < LOAD_BALANCER_IDLE_MS) {
      this.report('AI_PROXY_KEEP_ALIVE')
    }
    if (req.app?.enabled('trust proxy') === false) this.report('AI_PROXY_TRUST_PROXY')
  }
}

/**
 * Returns whether the server closes a connection while the provider may still be silent, and no heartbeat keeps it
 * open.
 */
function stopsHeartbeat({ timeout }: Server, config: Config): boolean {
  if (timeout === 0) return false
  const { firstByteTimeoutMs, idleTimeoutMs } = config.limits
  const beats = config.heartbeat.everyMs < timeout
  const cutsWaiting = timeout < firstByteTimeoutMs && !(beats && config.heartbeat.beforeFirstByte)
  return cutsWaiting || (timeout < idleTimeoutMs && !beats)
}
