/** How the one provider stands for several targets: each has its own base path there. */
import type { Call } from '../e2e/support/provider.js'

const BASE = '/targets/'

export const targetUrl = (url: string, name: string) => url + BASE + name

/** Returns the name that records have for the target of a request; a single target is named for its host. */
export function targetOf({ url, headers }: Pick<Call, 'url' | 'headers'>): string {
  return url.startsWith(BASE) ? url.slice(BASE.length).split('/', 1)[0]! : String(headers.host)
}
