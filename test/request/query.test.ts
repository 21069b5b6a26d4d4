import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { googleRules } from '../../lib/formats/google.js'
import { forwardedQuery } from '../../lib/request/query.js'

describe('the query is forwarded', () => {
  for (const [name, client, ours, holdsCredentials, expected] of [
    ['as the client spelled it', 'a=1&b=%2F&&c', [], false, 'a=1&b=%2F&&c'],
    ["with the client's credentials if the proxy holds none", 'key=mine', [], false, 'key=mine'],
    ['none', '', [], true, ''],
    ['ours are added', 'a=1', [['key', 'k']], true, 'a=1&key=k'],
    ['ours only', '', [['key', 'k']], true, 'key=k'],
    ['ours are encoded', '', [['a b', 'k&x=1#']], true, 'a%20b=k%26x%3D1%23'],
    ['ours replace the client’s', 'key=mine&a=1&key=again', [['key', 'k']], true, 'a=1&key=k'],
    ['in any case', 'KEY=mine', [['key', 'k']], true, 'key=k'],
    ['whatever their names', 'sig=mine', [['Sig', 'k']], true, 'Sig=k'],
    ['encoded', '%6bey=mine&k%65y=mine', [['key', 'k']], true, 'key=k'],
    ['without a value', 'key&a', [['key', 'k']], true, 'a&key=k'],
    ['after a second question mark', '?key=mine', [['key', 'k']], true, 'key=k'],
    [
      'without the client’s credentials under other names',
      'api_key=x&api-key=x&access_token=x&a=1',
      [['key', 'k']],
      true,
      'a=1&key=k',
    ],
    [
      'without credentials spelled as one word, or as Azure’s gateway does',
      'apikey=x&subscription-key=x&a=1',
      [],
      true,
      'a=1',
    ],
    [
      "without the client's credentials if ours are headers",
      'key=mine&api-version=3&alt=sse',
      [],
      true,
      'api-version=3&alt=sse',
    ],
    ['the rest keeps its spelling and order', 'b=%20+&a', [['key', 'k']], true, 'b=%20+&a&key=k'],
  ] as [string, string, [string, string][], boolean, string][]) {
    test(name, () => {
      assert.equal(forwardedQuery(client, { ours, holdsCredentials, rules: undefined }), expected)
    })
  }
})

describe('the client’s credentials are removed, whatever their name and spelling', () => {
  for (const pair of [
    ...[
      'key=x',
      'KEY=x',
      'k%65y=x',
      '%6B%45%79=x',
      '+key=x',
      '%20key=x',
      'key%20=x',
      'key%00=x',
      'key[]=x',
      'key%5B%5D=x',
    ],
    ...[
      'a;key=x',
      'a=1;key=x',
      'a=1;api_key=x',
      'api.key=x',
      'api+key=x',
      'apiKey=x',
      'x-api-key=x',
      'x-goog-api-key=x',
    ],
    ...['oauth_token=x', 'bearer_token=x', 'access%5ftoken=x', 'accessToken=x', 'token=x', 'auth=x', 'authorization=x'],
    ...['X-Amz-Security-Token=x', 'X-Amz-Signature=x', 'X-Amz-Credential=x', 'sig=x', 'code=x', 'client_secret=x'],
    ...['apitoken=x', 'APIToken=x', 'oauthtoken=x', 'authkey=x', 'sessiontoken=x', 'refreshtoken=x', 'bearertoken=x'],
    ...['jwttoken=x', 'secretkey=x', 'privatekey=x', 'subscriptionkey=x', 'masterkey=x', 'functionkey=x', 'appkey=x'],
    ...['pwd=x', 'pass=x', 'passcode=x', 'sid=x', 'sessionid=x', 'session_id=x', 'sas=x', 'sastoken=x', 'hmac=x'],
    ...['apikey2=x', 'userpassword=x', 'token2=x', 'clientsecret=x', 'key1=x'],
    ...['password=x', 'session=x', 'jwt=x', 'subscription-key=x', '%EF%BD%8Bey=x', '%E2%84%AAey=x', 'key'],
  ]) {
    test(pair, () => {
      const query = `a=1&${pair}&b=2`
      assert.equal(forwardedQuery(query, { ours: [], holdsCredentials: true, rules: undefined }), 'a=1&b=2')
      assert.equal(forwardedQuery(query, { ours: [], holdsCredentials: false, rules: undefined }), query)
    })
  }
  for (const pair of [
    ...['api-version=2024-10-21', 'alt=sse', 'pageToken=x', 'page_token=x', 'limit=5', 'beta=true', 'max_tokens=5'],
    ...[
      'keyword=x',
      'starting_after=5',
      'stream=true',
      'id=gen-1',
      'include[]=x',
      'monkey=1',
      'pagetoken=x',
      'nextPageToken=x',
      'syncToken=x',
      'promptCacheKey=x',
      'partitionkey=x',
      'maxtokens=5',
      'passthrough=x',
      'fields=x',
      'callback=x',
    ],
  ]) {
    test(`${pair} is forwarded`, () => {
      assert.equal(forwardedQuery(pair, { ours: [], holdsCredentials: true, rules: undefined }), pair)
    })
  }
})

describe('parameters that change the answer of Google’s APIs', () => {
  const google = { ours: [], holdsCredentials: false, rules: googleRules }
  for (const pair of [
    ...[
      'fields=candidates',
      'FIELDS=x',
      '%66ields=x',
      'fi%65lds=x',
      'fields',
      'fields[]=x',
      '+fields=x',
      '$fields=x',
      '%24fields=x',
    ],
    ...['alt=proto', 'ALT=proto', 'a%6Ct=proto', 'alt=', 'alt', 'alt=json;x', 'alt=media', '$alt=proto', '%24alt=sse'],
    ...['callback=alert', 'c%61llback=x', '$callback=x', '%24.xgafv=1', '$.xgafv=2', '$unique=x'],
    ...['$httpMethod=POST', '%24httpMethod=DELETE', '$httpHeaders=authorization:x', '?$httpMethod=POST', '+$req=x'],
  ]) {
    test(`${pair} is removed`, () => assert.equal(forwardedQuery(`a=1&${pair}`, google), 'a=1'))
  }
  for (const pair of [
    'alt=sse',
    'alt=json',
    'ALT=SSE',
    'alt=s%73e',
    'prettyPrint=false',
    'pageSize=5',
    'updateMask=x',
  ]) {
    test(`${pair} is forwarded`, () => assert.equal(forwardedQuery(pair, google), pair))
  }
  test('are removed everywhere if they name a method or headers', () => {
    const elsewhere = { ...google, rules: undefined }
    assert.equal(forwardedQuery('$httpMethod=DELETE&a=1&$httpHeaders=x', elsewhere), 'a=1')
  })
})
