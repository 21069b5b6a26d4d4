/** The filter and the order of the exchanges in the page's address, so that they can be kept, sent and reloaded. */
const defaults = { search: '', status: 'all', sort: 'time true' }

const $ = (id) => document.getElementById(id)

/** Sets the fields as the address says. */
export function restoreFilter() {
  const address = new URLSearchParams(location.search)
  for (const [id, initial] of Object.entries(defaults)) {
    $(id).value = address.get(id) ?? initial
    if ($(id).selectedIndex === -1) $(id).value = initial // there is no such choice
  }
}

/** Changes the address as the fields say. The record that it names stays. */
export function saveFilter() {
  const chosen = Object.keys(defaults).map((id) => [id, $(id).value])
  const query = String(new URLSearchParams(chosen.filter(([id, value]) => value !== defaults[id])))
  if (query === location.search.slice(1)) return
  history.replaceState(history.state, '', `${query ? `?${query}` : location.pathname}${location.hash}`)
}
