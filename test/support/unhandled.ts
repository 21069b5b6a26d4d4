import type { TestContext } from 'node:test'

/** What promises were rejected with that nobody took care of, which would end a process, as long as this test runs. */
export function unhandledRejections(t: TestContext): readonly unknown[] {
  const unhandled: unknown[] = []
  const before = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => unhandled.push(reason))
  t.after(() => {
    process.removeAllListeners('unhandledRejection')
    for (const listener of before) process.on('unhandledRejection', listener)
  })
  return unhandled
}
