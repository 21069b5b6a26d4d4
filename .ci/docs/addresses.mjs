// Absolute addresses of the repository, which links on npm's page need. package.json's `repository` says where it is.

/**
 * Writes the repository's address into all links that lead into the repository.
 *
 * @param {string} markdown
 * @param {{ repository: { url: string } }} manifest package.json
 * @returns {string} the text with every `…/blob/main/…`, `…/raw/main/…` and `…/tree/main/…` of this package at that address
 */
export function withAddresses(markdown, { name, repository }) {
  const home = repository.url.replace(/^git\+|\.git$/g, '')
  const ours = new RegExp(`https://github\\.com/[\\w.-]+/${name}(?=/(?:blob|raw|tree)/main/)`, 'g')
  return markdown.replace(ours, home)
}
