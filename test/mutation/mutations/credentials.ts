import { mutationsOf } from '../mutation.js'

/** What of the client may go to the provider, and where. */
export const credentials = mutationsOf(
  'credentials',
  ['test/request/headers.test.ts'],
  [
    [
      'if (forwards(name) && (withCredentials || !isCredentialHeader(name))) headers[name] = value',
      'if (forwards(name)) headers[name] = value',
      'test/request/headers.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      'if (value === undefined || named.includes(name) || bodyHeaders.includes(name)) continue',
      'if (value === undefined || bodyHeaders.includes(name)) continue',
      'test/request/headers.test.ts',
      'test/e2e/headers.test.ts',
    ],
    ["return isCredential(name.toLowerCase().replaceAll('_', '-'))", 'return isCredential(name.toLowerCase())'],
    ["return isCredential(name.toLowerCase().replaceAll('_', '-'))", "return isCredential(name.replaceAll('_', '-'))"],
    [
      '(holdsCredentials && isCredentialHeader(name))',
      'false',
      'test/request/headers.test.ts',
      'test/options/resolve.test.ts',
    ],
    [
      'FORMAT_CREDENTIALS.has(name) || (WORDS.test(name) && !NOT_CREDENTIALS.test(name))',
      'WORDS.test(name) && !NOT_CREDENTIALS.test(name)',
      'test/request/headers.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      "throw new AiProxyError('credentials_unavailable', message, { privateCause })",
      "throw new AiProxyError('credentials_unavailable', message, { cause: privateCause })",
      'test/request/credentials.test.ts',
      'test/e2e/credentials.test.ts',
    ],
    [
      "if (typeof value !== 'string' || fault) {",
      "if (typeof value !== 'string') {",
      'test/request/credentials.test.ts',
      'test/options/resolve.test.ts',
      'test/e2e/credentials.test.ts',
      'test/options/hook-errors.test.ts',
    ],
    [
      "if (method === 'TRACE') throw",
      'if (false) throw',
      'test/options/endpoints.test.ts',
      'test/e2e/target.test.ts',
      'test/e2e/smuggling.test.ts',
      'test/e2e/http.test.ts',
    ],
    ["const relative = url.replace(ABSOLUTE_FORM, '')", 'const relative = url', 'test/request/provider-path.test.ts'],
    ["if (decoded.normalize('NFKC') !== decoded) return undefined", '', 'test/request/provider-path.test.ts'],
    [
      "const other = path.includes('%2F') && !isAboutResource(path) ? methodsOf(path.replaceAll('%2F', '/')) : 'any'",
      "const other = 'any' as readonly string[] | 'any'",
      'test/options/endpoints.test.ts',
      'test/options/default-endpoints.test.ts',
    ],
    [
      "if (!isUtf8(bytes)) throw new AiProxyError('invalid_request', 'The request body is not valid UTF-8')",
      '',
      'test/request/charset.test.ts',
    ],
    ['return answer === true', 'return Boolean(answer)'],
  ],
)
