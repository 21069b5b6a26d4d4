import { clock, time } from '../shared/format-values.mjs'
import { showLeft } from '../shared/left-today.mjs'
import { StateFeed } from '../shared/state-feed.mjs'
import { fill, makeHead, rowsOf } from './usage-table.mjs'

const $ = (id) => document.getElementById(id)
let lastAt = 0

makeHead($('usage').tHead.rows[0])
new StateFeed({
  everyMs: 1000,
  onState(state) {
    lastAt = state.at
    say('connection', 'live', 'good')
    showUsers(state.users)
    say('resets', `A new day begins at ${clock(state.resetsAt)}: midnight, UTC.`)
    say('since', `Since ${time(state.since)}, when the app was started.`)
    const rows = rowsOf(state)
    fill($('usage').tBodies[0], rows)
    $('usage').hidden = rows.length === 0
    $('empty').hidden = rows.length > 0
    say('empty', 'Nobody has used anything yet. Ask something on the Chat page.')
  },
  onLost() {
    const since = lastAt ? ` The page shows ${time(lastAt)}.` : ''
    say('connection', `Connection lost, trying again…${since}`, 'warn')
  },
})

/** Shows a card for each user, with what is left of the day. */
function showUsers(users) {
  for (const { id, name, team, tier, left } of users) {
    const card = document.getElementById(`user-${id}`) ?? newCard(id)
    const [title, note, list] = card.children
    if (title.textContent !== name) title.textContent = name
    const plan = [team, tier].filter(Boolean).join(' · ')
    if (note.textContent !== plan) note.textContent = plan
    showLeft(list, left)
    list.setAttribute('aria-label', `Left today of ${name}`)
  }
}

function newCard(id) {
  const card = $('user').content.cloneNode(true).firstElementChild
  card.id = `user-${id}`
  $('users').append(card)
  return card
}

function say(id, text, tone = '') {
  const place = $(id)
  if (place.textContent !== text) place.textContent = text
  if (tone) place.dataset.tone = tone
}
