import { protocols } from './protocols.mjs'
import { listModels } from './stream-answer.mjs'
import { load, save } from './tab-storage.mjs'

const $ = (id) => document.getElementById(id)

/**
 * Who answers, and how: the provider, and for each provider the model and the parameters. They hold for the next prompt
 * and outlive a reload.
 */
export class Settings {
  #chosen
  #byProvider
  #listed = new Set()
  #onChange

  constructor(providers, onChange) {
    this.#onChange = onChange
    const saved = load('settings') ?? {}
    this.#chosen = providers.find(({ id }) => id === saved.chosen) ?? providers[0]
    this.#byProvider = saved.byProvider ?? {}

    $('providers').append(...providers.map((provider) => this.#choice(provider)))
    $('settings').addEventListener('input', () => this.#read())
    $('settings').addEventListener('close', () => this.#fill()) // what is not valid is taken back
    $('settings').addEventListener('click', ({ target }) => target === $('settings') && $('settings').close()) // the backdrop
    $('close-settings').addEventListener('click', () => $('settings').close())
    $('settings-form').addEventListener('submit', (event) => {
      event.preventDefault()
      $('settings').close()
    })
    $('open-settings').addEventListener('click', () => {
      $('settings').showModal()
      this.#suggestModels()
    })
    $('open-settings').disabled = false
    this.#fill()
  }

  get provider() {
    return this.#chosen
  }

  /** `{ model, system, temperature, maxTokens }`; what is not set is `undefined`. */
  get parameters() {
    return { model: this.#chosen.model, ...this.#byProvider[this.#chosen.id] }
  }

  #choice(provider) {
    const label = document.createElement('label')
    const radio = document.createElement('input')
    radio.type = 'radio'
    radio.name = 'provider'
    radio.value = provider.id
    radio.checked = provider === this.#chosen
    radio.addEventListener('change', () => {
      this.#chosen = provider
      this.#fill()
      this.#suggestModels()
    })
    label.append(radio, provider.title)
    return label
  }

  #fill() {
    const { model, system, temperature, maxTokens } = this.parameters
    $('model').value = model
    $('model').placeholder = this.#chosen.model
    $('system').value = system ?? ''
    $('temperature').value = temperature ?? ''
    $('temperature').max = protocols[this.#chosen.id].maxTemperature
    $('max-tokens').value = maxTokens ?? ''
    $('temperature-range').textContent = `0 to ${protocols[this.#chosen.id].maxTemperature}`
    $('answering').textContent = this.#chosen.local
      ? `${this.#chosen.name}: no key is set for ${this.#chosen.title}`
      : this.#chosen.name
    this.#changed()
  }

  #read() {
    const number = (input) => (input.value !== '' && input.validity.valid ? input.valueAsNumber : undefined)
    this.#byProvider[this.#chosen.id] = {
      model: $('model').value.trim() || this.#chosen.model,
      system: $('system').value.trim() || undefined,
      temperature: number($('temperature')),
      maxTokens: number($('max-tokens')),
    }
    this.#changed()
  }

  #changed() {
    save('settings', { chosen: this.#chosen.id, byProvider: this.#byProvider })
    this.#onChange(this)
  }

  /** Asks the provider for its models, once. */
  async #suggestModels() {
    const provider = this.#chosen
    const isNew = !this.#listed.has(provider)
    this.#listed.add(provider)
    if (isNew && !provider.local) provider.models = await listModels(provider)
    if (provider !== this.#chosen) return
    const options = (provider.models ?? []).map((model) => new Option(model, model))
    $('models').replaceChildren(...options)
  }
}
