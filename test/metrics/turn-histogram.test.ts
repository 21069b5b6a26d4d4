import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AggregatorRegistry, Histogram, type Metric, Registry } from 'prom-client'
import { TurnHistogram } from '../../lib/metrics/turn-histogram.js'
import { bucketsOf } from './support/scrape.js'

function registered() {
  const registry = new Registry()
  const turns = new TurnHistogram({ name: 'turn_seconds', help: 'Turns' })
  registry.registerMetric(turns as unknown as Metric)
  return { registry, turns }
}

const bounds = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1]

describe('the histogram of turns', () => {
  test('has the same result as one of prom-client', async () => {
    const { registry, turns } = registered()
    const theirs = new Registry()
    const histogram = new Histogram({ name: 'turn_seconds', help: 'Turns', buckets: bounds, registers: [theirs] })
    assert.equal(await registry.metrics(), await theirs.metrics())
    for (const seconds of [0, 0.00001, 0.000011, 0.0001, 0.00025, 0.0007, 0.1, 0.11, 7]) {
      turns.observe(seconds)
      histogram.observe(seconds)
    }
    assert.equal(await registry.metrics(), await theirs.metrics())
  })

  test('counts a bound in its own bucket, and larger values in the last', async () => {
    const { registry, turns } = registered()
    for (const seconds of [0.001, 0.001, 0.0011, 5]) turns.observe(seconds)
    assert.deepEqual(await bucketsOf(registry, 'turn_seconds'), { '0.001': 2, '0.0025': 1, '+Inf': 1 })
  })

  test('is emptied by resetMetrics()', async () => {
    const { registry, turns } = registered()
    const empty = await registry.metrics()
    turns.observe(1)
    assert.notEqual(await registry.metrics(), empty)
    registry.resetMetrics()
    assert.equal(await registry.metrics(), empty)
  })

  test('is added up over several workers', async () => {
    const [one, two] = [registered(), registered()]
    one.turns.observe(0.001)
    two.turns.observe(0.001)
    two.turns.observe(3)
    const merged = AggregatorRegistry.aggregate([
      await one.registry.getMetricsAsJSON(),
      await two.registry.getMetricsAsJSON(),
    ])
    assert.deepEqual(await bucketsOf(merged, 'turn_seconds'), { '0.001': 2, '+Inf': 1 })
  })
})
