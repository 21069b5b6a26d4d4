import { describeResponse, explain } from '../shared/failure.mjs'
import { clock } from '../shared/format-values.mjs'
import { leftInWords, showLeft } from '../shared/left-today.mjs'
import { betweenUsers } from './user-lock.mjs'

const UNDER_WAY = 'An answer is under way, in this tab or another. Stop it or wait for its end, then switch.'

const $ = (id) => document.getElementById(id)

/** The signed-in user, a switch between the demo users, and what is left of their day. */
export class Account {
  #user
  #onSwitch
  #asked = 0

  /** `onSwitch` is called with a sentence for screen readers. */
  constructor({ onSwitch }) {
    this.#onSwitch = onSwitch
    // Another tab may have switched, or used something.
    document.addEventListener('visibilitychange', () => !document.hidden && this.refresh())
  }

  /** Shows how it stands. To be called after each answer. */
  async refresh() {
    const [account] = await this.#ask('../account')
    if (account) this.#show(account)
  }

  async #switchTo(user) {
    const body = JSON.stringify({ id: user.id })
    const headers = { 'content-type': 'application/json' }
    const put = () => this.#ask('../account/user', { method: 'PUT', headers, body })
    const [account, problem] = (await betweenUsers(put)) ?? [undefined, UNDER_WAY]
    if (account) {
      this.#show(account)
      this.#onSwitch(`Signed in as ${user.name}. ${leftInWords(account.left)}`)
    } else if (problem) {
      this.#showUser()
      this.#showProblem(problem)
    }
  }

  #showProblem(problem) {
    $('account-problem').hidden = problem === undefined
    $('account-problem').textContent = problem ?? ''
  }

  /** Resolves with the account, or with what went wrong; with neither if it has been asked for again meanwhile. */
  async #ask(...request) {
    const turn = ++this.#asked
    const answer = await read(...request)
    return turn === this.#asked ? answer : []
  }

  #show({ user, users, left, resetsAt }) {
    this.#user = user
    if (!$('users').hasChildNodes()) $('users').append(...users.map((one) => this.#choice(one)))
    this.#showUser()
    this.#showProblem(undefined)
    showLeft($('left'), left)
    const { team } = users.find(({ id }) => id === user)
    $('resets').textContent = `Team ${team}. A new day begins at ${clock(resetsAt)}.`
    $('account').hidden = false
  }

  #showUser() {
    for (const radio of $('users').querySelectorAll('input')) radio.checked = radio.value === this.#user
  }

  #choice(user) {
    const label = document.createElement('label')
    const radio = document.createElement('input')
    radio.type = 'radio'
    radio.name = 'user'
    radio.value = user.id
    radio.addEventListener('change', () => this.#switchTo(user))
    const team = document.createElement('span')
    team.className = 'team'
    team.textContent = ` · ${user.team}`
    label.append(radio, user.name, team)
    return label
  }
}

/** Resolves with the account, or with what went wrong. */
async function read(...request) {
  try {
    const response = await fetch(...request)
    return response.ok ? [await response.json(), undefined] : [undefined, await describeResponse(response)]
  } catch (error) {
    return [undefined, explain(error)]
  }
}
