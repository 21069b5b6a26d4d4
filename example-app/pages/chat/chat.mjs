import { asOneOfTheStreams } from '../shared/connections.mjs'
import { copyFrom } from '../shared/copy.mjs'
import { explain } from '../shared/failure.mjs'
import { RecordDialog } from '../shared/record-dialog.mjs'
import { loadSettings } from '../shared/settings.mjs'
import { Account } from './account.mjs'
import { Announcer } from './announcer.mjs'
import { Composer } from './composer.mjs'
import { Conversation } from './conversation.mjs'
import { FollowEnd } from './follow-end.mjs'
import { continued, passageInWords } from './passage.mjs'
import { Settings } from './settings-dialog.mjs'
import { continueAnswer, requestId, stopAnswer, streamAnswer } from './stream-answer.mjs'
import { load, save } from './tab-storage.mjs'
import { TurnView } from './turn-view.mjs'
import { forThisUser } from './user-lock.mjs'

const $ = (id) => document.getElementById(id)
const conversation = new Conversation()
const announcer = new Announcer($('announcer'))
const recordDialog = new RecordDialog()
const account = new Account({ onSwitch: (said) => composer.say(said) })
const views = new Map()
let running // the AbortController of the answer under way

const [{ providers, dashboard }] = await Promise.all([
  loadSettings({
    onProblem(problem) {
      if (!problem && !$('start-problem').hidden) account.refresh() // it may not have been reached either
      $('start-problem').hidden = problem === undefined
      $('start-problem').textContent = problem ?? ''
    },
  }),
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
if (conversation.running) goOn(conversation.running)

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
function answer(turn) {
  const { provider, parameters } = settings
  Object.assign(turn, { provider: provider.id, model: parameters.model })
  const id = requestId()
  run(turn, id, (reading) => streamAnswer(provider, parameters, conversation.messagesFor(turn), { id, ...reading }))
}

/** Continues the answer of a turn that was under way when the page was reloaded, or opened in this tab as well. */
function goOn(turn) {
  const provider = providers.find(({ id }) => id === turn.provider)
  const { stream } = turn
  turn.passage = continued(turn.passage)
  run(turn, stream.requestId, (reading) => continueAnswer(provider, stream, reading))
  views.get(turn).showStream()
}

/** Shows an answer as it comes; `read` asks for it, and resolves when it is complete. */
async function run(turn, id, read) {
  const view = views.get(turn) ?? addView(turn)
  const stop = new AbortController()
  running = stop
  turn.requestId = id
  save('conversation', conversation)
  showState()
  setBusy(true, 'Answering…')
  announcer.begin()
  if (turn === conversation.turns.at(-1)) follow.start()
  else follow.startAt(view.element)

  const connection = watchConnection(turn, view)
  const reading = {
    signal: stop.signal,
    onStream(stream, { cachedFor }) {
      Object.assign(turn, { stream, passage: { ...turn.passage, cachedFor } })
      save('conversation', conversation)
      view.showStream()
    },
    onText(piece) {
      turn.answer += piece
      view.append(piece)
      announcer.add(piece)
    },
    ...connection,
  }
  const start = () => {
    view.showWaiting()
    return read(reading)
  }
  const onWait = () => view.showWaiting('Waiting until a stream in another tab ends: a browser can only have a few.')
  try {
    const { signal } = stop
    await forThisUser(() => asOneOfTheStreams(start, { signal, onWait }), { signal })
    connection.onContinued()
    turn.state = 'complete'
    if (turn.answer.trim() === '') turn.problem = 'The answer is empty.'
  } catch (error) {
    turn.state = error.name === 'AbortError' ? 'stopped' : 'failed'
    turn.problem = explain(error)
    if (turn.state === 'stopped' && connection.isLost() && turn.stream) stopLater(turn)
  }

  running = undefined
  turn.stream = undefined
  announcer.end()
  setBusy(false, turn.problem ?? ['Answer complete.', ...passageInWords(turn.passage)].join(' '))
  view.finish()
  const record = await recordOf(id)
  account.refresh()
  if (views.get(turn) !== view || turn.requestId !== id) return // it was removed, or has been retried meanwhile
  turn.record = record
  explainByRecord(turn)
  view.finish()
  save('conversation', conversation)
}

function stopLater({ provider: providerId, stream }) {
  const provider = providers.find(({ id }) => id === providerId)
  forThisUser(() => stopAnswer(provider, stream), {})
}

/** The record may know more than the client is told, such as why the provider cannot be reached. */
function explainByRecord(turn) {
  const { code, error } = turn.record ?? {}
  if (turn.state !== 'failed' || !error || code === 'quota_exceeded') return
  if (code === 'aborted') Object.assign(turn, { state: 'stopped', problem: 'Stopped, from another tab.' })
  else turn.problem = error
}

/** Notes and shows when the connection of a running answer is lost, and when the answer continues. */
function watchConnection(turn, view) {
  let lostAt
  return {
    isLost: () => lostAt !== undefined,
    onLost({ offline }) {
      lostAt ??= performance.now()
      const said = offline
        ? 'You are offline: the answer continues as soon as you are not.'
        : 'Connection lost, trying again…'
      view.showWaiting(said)
      composer.say(said)
    },
    onContinued() {
      if (lostAt === undefined) return
      const losses = (turn.passage?.losses ?? 0) + 1
      turn.passage = { ...turn.passage, losses, lostMs: performance.now() - lostAt }
      lostAt = undefined
      view.showWaiting()
      view.showPassage()
      composer.say('The answer continues.')
    },
  }
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
  const view = new TurnView(turn, { retry, showRecord: (record) => recordDialog.show(record), openElsewhere })
  views.set(turn, view)
  $('turns').append(view.element)
  return view
}

/** A tab that a page opens gets a copy of what this one has saved, and continues the answer from there. */
function openElsewhere() {
  save('conversation', conversation)
  open(location.href)
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
