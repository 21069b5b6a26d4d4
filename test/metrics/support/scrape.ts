interface Scraped {
  metrics(): Promise<string>
}

/** The sample lines of a metric, and of its `_bucket`, `_sum` and `_count`, in order. */
export async function samplesOf(registry: Scraped, metric: string): Promise<string[]> {
  const isSample = new RegExp(`^${metric}(_bucket|_sum|_count)?[{ ]`)
  return (await registry.metrics()).split('\n').filter((line) => isSample.test(line))
}

/** Of a histogram without labels but `le`: how many samples are in each bucket, not summed up; those that are empty left out. */
export async function bucketsOf(registry: Scraped, metric: string): Promise<Record<string, number>> {
  const buckets: Record<string, number> = {}
  let before = 0
  for (const line of await samplesOf(registry, metric)) {
    const [, bound, text] = /_bucket\{le="(.+?)".*\} (.+)$/.exec(line) ?? []
    if (bound === undefined) continue
    const count = Number(text)
    if (count > before) buckets[bound] = count - before
    before = count
  }
  return buckets
}
