import { builtInFormats } from '../formats/index.js'

/**
 * Words that mark a header or parameter as a secret, or as proof of an identity. The last group also matches at the end
 * of a word (`apitoken`, `masterkey`) and with a number (`apikey2`).
 */
const WORDS = new RegExp(
  [
    '(?:^|-)(?:auth|authorization|authentication|authenticated|oauth2?|bearer|jwt|oidc|saml|principal|cookie2?|keys)(?:-|$)',
    '(?:^|-)(?:sas|hmac|dpop|otp|sid|sessionid|remote-user|client-cert|pass)$',
    '(?:token|secret|password|passwd|pwd|passphrase|passcode|credentials?|signature|assertion|api-?keys?|accesskeys?)\\d*(?:-|$)',
    '(?:^|-)key\\d*(?:-|$)|(?<!mon|tur|don|hot)key\\d*$',
  ].join('|'),
)

/** Keys and accounts. The account that pays is useless without a key, and the client must not choose it for our key. */
const FORMAT_CREDENTIALS = new Set(builtInFormats.flatMap((format) => format.credentialHeaders))

/** Names with such a word that are not secrets: keys of caches and of requests, and positions in a paged list. */
const NOT_CREDENTIALS =
  /(?:^|-)(?:idempotency-?key|(?:prompt-?)?cache-?key|(?:partition|sort|row|public)-?key|(?:next-?)?(?:page|sync)-?token|(?:next|continuation|skip)-?token|sec-websocket-key)$/

/** Returns whether a header's name marks it as a credential. Servers read `_` as `-` (CGI), and ignore case. */
export function isCredentialHeader(name: string): boolean {
  return isCredential(name.toLowerCase().replaceAll('_', '-'))
}

// Query parameters of functions (`code`), storage (`sig`), OAuth and sessions. As headers these names have other
// meanings: `session` identifies a conversation.
const PARAMETERS = new Set(['sig', 'code', 'session', 'session-id'])

/** Returns the same for the decoded name of a query parameter: servers trim it, remove `[]`, and accept camel case. */
export function isCredentialParameter(name: string): boolean {
  const plain = plainParameter(name)
  return [plain, plainParameter(name.replace(/([a-z\d])([A-Z])/g, '$1-$2'))].some(isCredential) || PARAMETERS.has(plain)
}

/** Returns a parameter's name in lower case, with its words joined by hyphens. */
export function plainParameter(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z\d]+/g, '-')
    .replace(/^-|-$/g, '')
}

function isCredential(name: string): boolean {
  return FORMAT_CREDENTIALS.has(name) || (WORDS.test(name) && !NOT_CREDENTIALS.test(name))
}
