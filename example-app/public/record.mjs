import { bytes, ms, outcome, toneOf, usage } from './units.mjs'

/** What is worth a glance: the field, what it is called on the page, and how it is written. */
const glance = [
  ['outcome', 'Outcome', (_value, record) => outcome(record)],
  ['code', 'Code', String],
  ['error', 'Reason', String],
  ['firstTokenMs', 'First token after', ms],
  ['outputTokensPerSecond', 'Speed', (value) => `${value.toFixed(1)} tokens/s`],
  ['usage', 'Tokens', usage],
  ['durationMs', 'Duration', ms],
  ['downstreamBytes', 'Sent', bytes],
  ['events', 'Events', String],
  ['maxTurnMs', 'Longest turn', ms],
]

/** Fills the record's place below an answer. A field that does not apply to the exchange is left out. */
export function showRecord(place, record) {
  const list = place.querySelector('dl')
  for (const [field, label, write] of glance) {
    const value = record[field]
    if (value === undefined || value === null) continue
    const pair = document.createElement('div')
    const term = document.createElement('dt')
    const description = document.createElement('dd')
    pair.dataset.field = field
    term.textContent = label
    description.textContent = write(value, record)
    pair.append(term, description)
    list.append(pair)
  }
  place.dataset.tone = toneOf(record)
  place.querySelector('pre').textContent = JSON.stringify(record, null, 2)
  place.hidden = false
}
