import type { Accounts } from './accounts.js'
import type { Sample } from './sample.js'
import { kib, type Soak, type Verdict } from './verdicts.js'

/** Overwrites one line on a terminal, and prints a line each elsewhere. */
export function showProgress(since: number, accounts: Accounts, { heldBytes, sockets, active }: Sample): void {
  const seconds = Math.round((performance.now() - since) / 1000)
  const outcomes = new Map<string, number>()
  for (const [end, count] of accounts.ends) {
    const outcome = end.split(' ', 1)[0]!
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count)
  }
  const ends = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
  const line = `${seconds} s: ${accounts.recorded} done (${ends}), ${active} under way, heap ${kib(heldBytes)}, ${sockets} sockets`
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${line.slice(0, process.stdout.columns)}` : `${line}\n`)
}

export function showEnd({ accounts, start, quiet, end }: Soak, all: readonly Verdict[]): void {
  const line = (text = '') => process.stdout.write(`${text}\n`)
  line('\n')
  table(['kind', 'exchanges'], [...accounts.kinds])
  table(['ended', 'records'], [...accounts.ends])
  const moments = quiet.map((sample, at) => [at === 0 ? 'after the warm-up' : `after lap ${at}`, sample] as const)
  table(
    ['nothing under way', 'heap', 'sockets', 'to the provider'],
    [['before the first', start] as const, ...moments, ['all closed', end] as const].map(
      ([when, { heldBytes, sockets, upstream }]) => [when, kib(heldBytes), sockets, upstream],
    ),
  )
  table(
    ['', 'verdict', 'found'],
    all.map(({ what, found, isFine }) => [isFine ? 'ok' : 'NOT OK', what, found]),
  )
  for (const example of accounts.examples) line(example)
  for (const mismatch of accounts.attempts.mismatches.slice(0, 20)) line(mismatch)
  for (const id of accounts.open.slice(0, 20)) line(`lost: ${id}`)
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.toLocaleString('en')))
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at]!.length)))
  for (const row of all)
    process.stdout.write(
      `${row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd()}\n`,
    )
  process.stdout.write('\n')
}
