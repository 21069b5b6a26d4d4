/** Words by which the name of a header or a parameter says that its value is a secret, or vouches for somebody. */
const WORDS =
  /(?:^|-)(?:auth|authorization|authentication|authenticated|token|accesstoken|idtoken|authtoken|bearer|jwt|oidc|saml|secret|clientsecret|password|passwd|passphrase|credentials?|signature|assertion|principal|cookie2?|keys?|apikeys?|accesskey)(?:-|$)/

/** Of accounts, and who pays for a request: of no use without a key, and not the client's to choose with ours. */
const ACCOUNTS = new Set(['openai-organization', 'openai-project', 'x-goog-user-project', 'chatgpt-account-id'])

/** Names with such a word that hold no secret: keys of caches and of requests, and where a list goes on. */
const HARMLESS =
  /(?:^|-)(?:idempotency-key|cache-key|(?:next-)?page-token|next-token|continuation-token|skip-?token|sec-websocket-key)$/

/** Whether the name of a header says that it holds a credential. Servers read `_` as `-` (CGI), and any case. */
export function isCredentialHeader(name: string): boolean {
  return isCredential(name.toLowerCase().replaceAll('_', '-'))
}

// Not in headers, where they have other meanings: of Google's keys, Azure's functions (`code`) and storage (`sig`), OAuth.
const PARAMETERS = new Set(['sig', 'code', 'session'])

/** The same of a query parameter, by its decoded name: servers trim it, cut `[]` off, and read camel case. */
export function isCredentialParameter(name: string): boolean {
  const plain = plainParameter(name)
  return [plain, plainParameter(name.replace(/([a-z\d])([A-Z])/g, '$1-$2'))].some(isCredential) || PARAMETERS.has(plain)
}

/** A parameter's name in lower case, its words joined by hyphens. */
export function plainParameter(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z\d]+/g, '-')
    .replace(/^-|-$/g, '')
}

function isCredential(name: string): boolean {
  return ACCOUNTS.has(name) || (WORDS.test(name) && !HARMLESS.test(name))
}
