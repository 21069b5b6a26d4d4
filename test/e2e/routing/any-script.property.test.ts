import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assertSound } from './any-script/checks.js'
import { ScriptRunner, summaryOf } from './any-script/run-script.js'
import { anyScript } from './any-script/scripts.js'
import { Tally } from './any-script/tally.js'

// To run one again, and look for the smallest like it: ANY_SCRIPT='<seed> <path>', as a failure prints it.
// ANY_SCRIPT_RUNS sets the number of scripts.
const [seed, path] = process.env.ANY_SCRIPT?.split(' ') ?? []
const RUNS = Number(process.env.ANY_SCRIPT_RUNS ?? 2400)
const LANES = path === undefined ? 16 : 1

test('any script of targets: one answer, one record, no attempt too many, nothing left open', async (t) => {
  // Targets that refuse their credentials are warned of, each time.
  t.mock.method(process, 'emitWarning', () => {})
  const runner = await ScriptRunner.start(t, 4)
  const tally = new Tally()
  const first = Number(seed ?? Date.now() % 2 ** 31)
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const property = fc.asyncProperty(anyScript, async (script) => {
      const evidence = await runner.run(script)
      try {
        assertSound(script, evidence)
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${summaryOf(evidence)}`)
      }
      tally.add(script, evidence)
    })
    const result = await fc.check(property, {
      numRuns: Math.ceil(RUNS / LANES),
      seed: first + lane,
      // To look for a smaller one takes minutes.
      ...(path === undefined ? { endOnFailure: true } : { path }),
    })
    if (!result.failed) return undefined
    const [script] = result.counterexample ?? []
    const again = `ANY_SCRIPT='${result.seed} ${result.counterexamplePath}'`
    return `${again}\n${String(result.errorInstance)}\n${JSON.stringify(script, undefined, 1)}`
  })
  const failures = (await Promise.all(lanes)).filter((failure) => failure !== undefined)
  assert.equal(failures.length, 0, failures.slice(0, 3).join('\n\n'))
  // What never happens is not tested.
  if (path === undefined && RUNS >= 2000) tally.assertVaried(RUNS)
})
