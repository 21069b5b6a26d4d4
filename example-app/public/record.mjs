const bytes = (n) => (n < 10_000 ? `${n} B` : `${(n / 1024).toFixed(1)} KiB`)
const ms = (n) => (n < 1000 ? `${n < 10 ? +n.toFixed(2) : Math.round(n)} ms` : `${(n / 1000).toFixed(2)} s`)

/** What is worth a glance: the field, what it is called on the page, and how it is written. */
const glance = [
  ['outcome', 'Outcome', (value) => value.replaceAll('_', ' ')],
  ['code', 'Code', String],
  ['status', 'Status', String],
  ['firstByteMs', 'First byte after', ms],
  ['durationMs', 'Duration', ms],
  ['events', 'Events', String],
  ['downstreamBytes', 'Sent', bytes],
  ['turns', 'Turns', String],
  ['maxTurnMs', 'Longest turn', ms],
]

/** The colour of the outcome; none where the provider refused and its refusal passed. */
function toneOf({ outcome, status }) {
  if (outcome === 'client_disconnect') return 'warn'
  if (outcome !== 'completed') return 'bad'
  return status < 400 ? 'good' : 'none'
}

/** Fills the record's place below an answer. A field that does not apply to the exchange is left out. */
export function showRecord(place, record) {
  const list = place.querySelector('dl')
  for (const [field, label, write] of glance) {
    const value = record[field]
    if (value === undefined || value === null) continue
    const pair = document.createElement('div')
    const term = document.createElement('dt')
    const description = document.createElement('dd')
    term.textContent = label
    description.textContent = write(value)
    pair.append(term, description)
    list.append(pair)
  }
  place.dataset.tone = toneOf(record)
  place.querySelector('pre').textContent = JSON.stringify(record, null, 2)
  place.hidden = false
}
