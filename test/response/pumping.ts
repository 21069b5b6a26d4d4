import { Readable } from 'node:stream'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import type { Metering } from '../../lib/exchange/metering.js'
import { type Framer, framingFor, PassThroughFramer } from '../../lib/framing/index.js'
import { Downstream } from '../../lib/response/downstream.js'
import { Pump } from '../../lib/response/pump.js'
import type { TurnScheduler } from '../../lib/scheduling/turns.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { ManualTimers } from '../support/manual-timers.js'
import { manualTurns } from '../support/manual-turns.js'

export const KIB = 1024

/** A provider's response: what is pushed has arrived. */
export class Source extends Readable {
  reads = 0

  constructor(highWaterMark = 64 * KIB) {
    super({ highWaterMark })
  }

  override _read(): void {}

  override read(size?: number): Buffer | null {
    if (size !== 0) this.reads++
    return super.read(size)
  }

  /** Bytes arrive, one chunk each. */
  async arrive(...chunks: string[]): Promise<void> {
    for (const chunk of chunks) this.push(Buffer.from(chunk, 'latin1'))
    await settled()
  }

  async finish(): Promise<void> {
    this.push(null)
    await settled()
  }

  async breakOff(error?: Error): Promise<void> {
    this.destroy(error)
    await settled()
  }
}

/** One that gives one buffer a call on every version of Node, as all streams do from 26 on. */
export class OneByOneSource extends Source {
  readonly #sizes: number[] = []

  override push(chunk: Buffer | null): boolean {
    if (chunk) this.#sizes.push(chunk.length)
    return super.push(chunk)
  }

  override read(size?: number): Buffer | null {
    return super.read(size ?? this.#sizes.shift())
  }
}

interface Given {
  source?: Source
  type?: string
  maxBytes?: number
  maxEventBytes?: number
  turns?: TurnScheduler
  /** In the place of what the type says. */
  framer?: Framer
  metering?: Metering
}

/** A pump between a provider that sends by hand and a fake client; turns are taken when `run` lets them. */
export function rig(given: Given = {}) {
  const { source = new Source(), type = 'text/event-stream', maxBytes = Infinity, maxEventBytes = Infinity } = given
  const { clock, turns: ownTurns } = manualTurns(1000)
  const turns = given.turns ?? ownTurns
  const res = new FakeResponse()
  const framer = given.framer ?? framingFor(type)?.createFramer(maxEventBytes) ?? new PassThroughFramer()
  const log: string[] = []
  const crashes: unknown[] = []
  let bytes = 0
  let turnsTaken = 0
  const sink = new Downstream(res.asServerResponse, new Deadlines(new ManualTimers()), () => 1000, {
    onBackpressure: () => log.push('block'),
    onDrain: () => {
      log.push('drain')
      pump.wake()
    },
    onCrash: () => log.push('heartbeat crash'),
    onDrainTimeout: () => log.push('slow'),
    onUnflushable: () => log.push('unflushable'),
  })
  const pump: Pump = new Pump(source, framer, given.metering, sink, turns, maxBytes, {
    onBytes: (count) => {
      bytes += count
    },
    onPassed: (last) => void (last && log.push(`last ${last}`)),
    acceptsRest: () => true,
    onCut: (why) => log.push(`cut: ${why}`),
    isCut: () => false,
    onEnd: () => log.push('end'),
    onAborted: (error) => log.push(`broken: ${error.message}`),
    onTooManyBytes: () => log.push('too many bytes'),
    onTooLargeEvent: () => log.push('too large event'),
    onTurn: () => void turnsTaken++,
    onCrash: (error) => {
      log.push('crash')
      crashes.push(error)
    },
  })
  /** Lets turns run, and what follows from them, until nothing is left to do. */
  const run = async () => {
    do {
      clock.runAll()
      await settled()
    } while (clock.deferred > 0)
  }
  return {
    source,
    turns,
    clock,
    res,
    sink,
    pump,
    framer,
    log,
    crashes,
    run,
    bytes: () => bytes,
    turnsTaken: () => turnsTaken,
  }
}

export const event = (data: string) => `data: ${data}\n\n`
