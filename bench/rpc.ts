/** Questions to a child process and its answers, over Node's IPC channel. */

/** What a child can be asked: functions of one argument. */
export type Api = Record<string, (input: never) => unknown>

export interface Question {
  id: number
  name: string
  input: unknown
}

export interface Answer {
  id: number
  value?: unknown
  error?: string
}

/** In the child: answers the parent's questions, and exits with the parent. */
export function answerWith(api: Api): void {
  const functions = api as Record<string, (input: unknown) => unknown>
  process.on('message', async ({ id, name, input }: Question) => {
    try {
      process.send?.({ id, value: await functions[name]!(input) } satisfies Answer)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer)
    }
  })
  process.on('disconnect', () => process.exit())
}
