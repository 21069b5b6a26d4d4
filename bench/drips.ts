/** Streams that stay open until told to end. A dripping stream gets an event every 20 ms; a twentieth of them are served each millisecond. */
import type { Socket } from 'node:net'
import { EVENT, STREAM_END } from './wire'

const PERIOD_MS = 20

export class Drips {
  private readonly groups = Array.from({ length: PERIOD_MS }, () => new Set<Socket>())
  private readonly silent = new Set<Socket>()
  private timer: NodeJS.Timeout | undefined
  private startedAt = 0
  private ticks = 0
  private added = 0
  private events = 0

  get size(): number {
    return this.groups.reduce((sum, group) => sum + group.size, 0)
  }

  add(socket: Socket): void {
    if (socket.destroyed) return
    const group = this.groups[this.added % PERIOD_MS]!
    this.added += 1
    group.add(socket)
    socket.once('close', () => group.delete(socket))
    this.timer ??= this.begin()
  }

  /** Adds a stream that gets nothing but its end. */
  addSilent(socket: Socket): void {
    if (socket.destroyed) return
    this.silent.add(socket)
    socket.once('close', () => this.silent.delete(socket))
  }

  /** Ends all streams properly. Returns how many events they got. */
  finish(): { events: number } {
    clearInterval(this.timer)
    this.timer = undefined
    for (const group of [...this.groups, this.silent]) {
      for (const socket of group) socket.write(STREAM_END)
      group.clear()
    }
    const { events } = this
    this.events = 0
    return { events }
  }

  private begin(): NodeJS.Timeout {
    this.startedAt = performance.now()
    this.ticks = 0
    return setInterval(() => this.catchUp(), 1)
  }

  /** Timers fire late under load: serve one group per elapsed millisecond, so that the rate holds. */
  private catchUp(): void {
    const due = Math.floor(performance.now() - this.startedAt)
    for (; this.ticks < due; this.ticks += 1) {
      for (const socket of this.groups[this.ticks % PERIOD_MS]!) {
        socket.write(EVENT)
        this.events += 1
      }
    }
  }
}
