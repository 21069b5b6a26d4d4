/** A monotonic clock that is moved by hand. */
export class ManualClock {
  time: number

  constructor(time = 1000) {
    this.time = time
  }

  now(): number {
    return this.time
  }
}
