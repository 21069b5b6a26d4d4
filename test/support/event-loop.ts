/** Lets everything run that is ready: promises, `nextTick`s, and a few rounds of the event loop. */
export async function settled(rounds = 3): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve))
}

/** The promise's value, or an error if it is still pending after many rounds of the event loop. */
export async function soon<T>(promise: Promise<T>, what: string, rounds = 200): Promise<T> {
  const tooLate = settled(rounds).then(() => {
    throw new Error(`still pending: ${what}`)
  })
  return Promise.race([promise, tooLate])
}
