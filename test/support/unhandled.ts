import type { TestContext } from 'node:test'

/** Collects unhandled rejections, which would end a process, during this test. */
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
