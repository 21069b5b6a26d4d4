/** What the package says of a model: where it found it. */
interface Found {
  readonly model: object
  readonly provider: SomeProvider
  readonly total_price: number
}

/** The part of the package that is used. It is an optional peer, so its own types may be missing. */
export interface PricesPackage {
  calcPrice(
    usage: Readonly<Record<string, number>>,
    model: string,
    options: { readonly providerId?: string; readonly provider?: object },
  ): Found | null
  findProvider(options: { readonly providerApiUrl?: string; readonly providerId?: string }): SomeProvider | undefined
}

interface SomeProvider {
  readonly id: string
}

/** Clients choose the names of models, so that there may be any number. */
const MAX_REMEMBERED = 1000

/**
 * Remembers where the package found a model: it compares a name with the patterns of all models, which takes a millisecond of
 * the event loop. What depends on the time of day is calculated each time.
 */
export class PriceSearch {
  readonly #package: PricesPackage
  /** By provider and model: a provider that has this model alone; `null` if there is none. */
  readonly #models = new Map<string, object | null>()
  readonly #hosts = new Map<string, string | null>()
  /** Any provider of the package's data, which the app can have replaced by newer ones, all at once. */
  #data: SomeProvider | undefined

  constructor(prices: PricesPackage) {
    this.#package = prices
  }

  /** Returns the id of the provider that has a host. */
  providerOf(host: string): string | undefined {
    this.#forgetOldData()
    const known = this.#hosts.get(host)
    if (known !== undefined) return known ?? undefined
    const provider = this.#package.findProvider({ providerApiUrl: `https://${host}/` })
    this.#note(provider)
    addBounded(this.#hosts, host, provider?.id ?? null)
    return provider?.id
  }

  /** Returns what a usage costs; `undefined` if the provider does not have the model. @param providerId default: any that has it */
  priceOf(usage: Readonly<Record<string, number>>, model: string, providerId?: string): number | undefined {
    this.#forgetOldData()
    const key = `${providerId ?? ''}\n${model}`
    const known = this.#models.get(key)
    if (known === null) return undefined
    if (known) return this.#package.calcPrice(usage, model, { provider: known })?.total_price
    const found = this.#package.calcPrice(usage, model, providerId === undefined ? {} : { providerId })
    this.#note(found?.provider)
    addBounded(this.#models, key, found && withOnly(found))
    return found?.total_price
  }

  #forgetOldData(): void {
    if (!this.#data || this.#package.findProvider({ providerId: this.#data.id }) === this.#data) return
    this.#forget(undefined)
  }

  #note(provider: SomeProvider | undefined): void {
    // What was not found before may be in these data.
    if (provider && !this.#data) this.#forget(provider)
  }

  #forget(data: SomeProvider | undefined): void {
    this.#data = data
    this.#models.clear()
    this.#hosts.clear()
  }
}

/** Returns the provider as if it had one model, whatever its name is. */
function withOnly({ model, provider }: Found): object {
  return { ...provider, models: [{ ...model, match: { starts_with: '' } }] }
}

/** Forgets what was added first if there are many. */
function addBounded<T>(known: Map<string, T>, key: string, value: T): void {
  known.set(key, value)
  if (known.size <= MAX_REMEMBERED) return
  const [oldest] = known.keys()
  if (oldest !== undefined) known.delete(oldest)
}
