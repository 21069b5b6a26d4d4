/** The streaming helpers of both official SDKs. */
interface Emitter {
  on(event: never, listener: never): unknown
}

/** What a helper says by its events, in their order, each as it was when it was said. */
export function heardFrom(helper: Emitter, events: readonly string[]): unknown[] {
  const heard: unknown[] = []
  for (const event of events) {
    const listen = (...values: unknown[]) => heard.push(JSON.parse(JSON.stringify([event, ...values])))
    helper.on(event as never, listen as never)
  }
  return heard
}
