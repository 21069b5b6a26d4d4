import { builtInFormats } from '../formats/index.js'

/**
 * Words by which the name of a header or a parameter says that its value is a secret, or vouches for somebody; the last
 * ones also where they end a word (`apitoken`, `masterkey`), and with a number (`apikey2`).
 */
const WORDS = new RegExp(
  [
    '(?:^|-)(?:auth|authorization|authentication|authenticated|oauth2?|bearer|jwt|oidc|saml|principal|cookie2?|keys)(?:-|$)',
    '(?:^|-)(?:sas|hmac|dpop|otp|sid|sessionid|remote-user|client-cert|pass)$',
    '(?:token|secret|password|passwd|pwd|passphrase|passcode|credentials?|signature|assertion|api-?keys?|accesskeys?)\\d*(?:-|$)',
    '(?:^|-)key\\d*(?:-|$)|(?<!mon|tur|don|hot)key\\d*$',
  ].join('|'),
)

/** Keys and accounts. Who pays for a request is of no use without a key, and not the client's to choose with ours. */
const OF_FORMATS = new Set(builtInFormats.flatMap((format) => format.credentialHeaders))

/** Names with such a word that hold no secret: keys of caches and of requests, and where a list goes on. */
const HARMLESS =
  /(?:^|-)(?:idempotency-?key|(?:prompt-?)?cache-?key|(?:partition|sort|row|public)-?key|(?:next-?)?(?:page|sync)-?token|(?:next|continuation|skip)-?token|sec-websocket-key)$/

/** Whether the name of a header says that it holds a credential. Servers read `_` as `-` (CGI), and any case. */
export function isCredentialHeader(name: string): boolean {
  return isCredential(name.toLowerCase().replaceAll('_', '-'))
}

// Not in headers, where they have other meanings: of functions (`code`), storage (`sig`), OAuth, and sessions (a header of that name tells a conversation).
const PARAMETERS = new Set(['sig', 'code', 'session', 'session-id'])

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
  return OF_FORMATS.has(name) || (WORDS.test(name) && !HARMLESS.test(name))
}
