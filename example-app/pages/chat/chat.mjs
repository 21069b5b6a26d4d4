import { asOneOfTheStreams } from '../shared/connections.mjs'
import { copyFrom } from '../shared/copy.mjs'
import { explain } from '../shared/failure.mjs'
import { RecordDialog } from '../shared/record-dialog.mjs'
import { Account } from './account.mjs'
import { Announcer } from './announcer.mjs'
import { Composer } from './composer.mjs'
import { Conversation } from './conversation.mjs'
import { FollowEnd } from './follow-end.mjs'
import { Settings } from './settings-dialog.mjs'
import { requestId, streamAnswer } from './stream-answer.mjs'
import { load, save } from './tab-storage.mjs'
import { TurnView } from './turn-view.mjs'

const $ = (id) => document.getElementById(id)
const conversation = new Conversation()
const announcer = new Announcer($('announcer'))
const recordDialog = new RecordDialog()
const account = new Account({ onSwitch: (said) => composer.say(said) })
const views = new Map()
let running // the AbortController of the answer under way

const [{ providers, dashboard }] = await Promise.all([
  fetch('../settings').then((response) => response.json()),
  account.refresh(),
])
const settings = new Settings(providers, showSettings)
const composer = new Composer({ onSend: (text) => answer(conversation.ask(text)), onStop: () => running?.abort() })
const follow = new FollowEnd($('turns'), {
  floor: $('composer'),
  onChange(isFollowing) {
    $('to-end').hidden = isFollowing || conversation.turns.length === 0
  },
})

$('pages').hidden = !dashboard
conversation.restore(load('conversation') ?? [])
for (const turn of conversation.turns) addView(turn)
showState()
follow.start()
composer.focus()

$('to-end').addEventListener('click', () => follow.start())
$('new').addEventListener('click', () => {
  running?.abort()
  conversation.clear()
  views.clear()
  $('turns').replaceChildren()
  showState()
  save('conversation', conversation)
  composer.focus()
})
$('turns').addEventListener('click', ({ target }) => {
  if (target.matches('.copy-code')) copyFrom(target, target.closest('figure').querySelector('pre').textContent)
})
addEventListener('pagehide', () => save('conversation', conversation))

/** Sends the conversation up to a turn, and shows the answer, what went wrong with it, and the record. */
async function answer(turn) {
  const { provider, parameters } = settings
  Object.assign(turn, { provider: provider.id, model: parameters.model })
  const view = views.get(turn) ?? addView(turn)
  const id = requestId()
  const stop = new AbortController()
  running = stop
  save('conversation', conversation)
  showState()
  setBusy(true, 'Answering…')
  announcer.begin()
  if (turn === conversation.turns.at(-1)) follow.start()
  else follow.startAt(view.element)

  const onText = (piece) => {
    turn.answer += piece
    view.append(piece)
    announcer.add(piece)
  }
  const ask = () => {
    view.showWaiting(false)
    return streamAnswer(provider, parameters, conversation.messagesFor(turn), { id, signal: stop.signal, onText })
  }
  const onWait = () => view.showWaiting(true)
  try {
    await asOneOfTheStreams(ask, { signal: stop.signal, onWait })
    turn.state = 'complete'
    if (turn.answer.trim() === '') turn.problem = 'The answer is empty.'
  } catch (error) {
    turn.state = error.name === 'AbortError' ? 'stopped' : 'failed'
    turn.problem = explain(error)
  }

  running = undefined
  announcer.end()
  setBusy(false, turn.problem ?? 'Answer complete.')
  view.finish()
  turn.record = await recordOf(id)
  account.refresh()
  // The record may know more than the client is told, such as why the provider cannot be reached.
  const knowsMore = turn.state === 'failed' && turn.record?.error && turn.record.code !== 'quota_exceeded'
  if (knowsMore) turn.problem = turn.record.error
  if (views.get(turn) !== view || turn.state === 'running') return // it was removed, or is retried already
  view.finish()
  save('conversation', conversation)
}

/** What the middleware recorded. The app waits a moment for the exchange to end, so one request is enough. */
async function recordOf(id) {
  const response = await fetch(`../records/${encodeURIComponent(id)}`).catch(() => undefined)
  return response?.ok ? response.json() : undefined
}

function setBusy(isBusy, status) {
  composer.setBusy(isBusy, status)
  for (const view of views.values()) view.setRetry(!isBusy)
}

function addView(turn) {
  const view = new TurnView(turn, { retry, showRecord: (record) => recordDialog.show(record) })
  views.set(turn, view)
  $('turns').append(view.element)
  return view
}

function retry(turn) {
  conversation.restart(turn)
  views.get(turn).begin()
  answer(turn)
}

function showState() {
  const isEmpty = conversation.turns.length === 0
  $('welcome').hidden = !isEmpty
  $('new').disabled = isEmpty
  if (isEmpty) $('to-end').hidden = true
}

function showSettings({ provider, parameters }) {
  $('chosen').textContent = `${provider.title} · ${parameters.model}`
  const buttons = provider.examples.map((example) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = example
    button.addEventListener('click', () => !running && answer(conversation.ask(example)))
    return button
  })
  $('examples').replaceChildren(...buttons)
}
