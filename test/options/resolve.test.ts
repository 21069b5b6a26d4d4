import assert from 'node:assert/strict'
import http from 'node:http'
import https from 'node:https'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { defaultLimits } from '../../lib/options/limits.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { complaint } from '../support/complaint.js'

const exchange = { hookView: () => assert.fail('no function asks') }

const target = 'https://api.openai.com'
const passing = { name: 'passing', admit: () => undefined }

test('a middleware that Express was given uncalled says so', () => {
  const req = new http.IncomingMessage(new Socket())
  assert.throws(() => resolveOptions(req as never), {
    name: 'TypeError',
    message: "aiProxy: it takes its options, and got a request: app.use('/ai', aiProxy({ target: 'https://…' }))",
  })
})

describe('defaults', () => {
  test('apply if only a target is given', () => {
    const { endpoints, forwards, hookErrors: _, ...config } = resolveOptions({ target })
    assert.deepEqual(config, {
      name: 'api.openai.com',
      origin: target,
      prefix: '',
      auth: { headers: [], query: [] },
      holdsCredentials: false,
      forwardCredentials: false,
      headers: [],
      limits: {
        maxRequestBytes: 32 * 1024 * 1024,
        maxConcurrentExchanges: defaultLimits.maxConcurrentExchanges,
        uploadIdleTimeoutMs: 120_000,
        maxDecodedRequestBytes: 8 * 1024 * 1024,
        maxHeldBytes: 256 * 1024 * 1024,
        maxConcurrentStreams: Number.POSITIVE_INFINITY,
        firstByteTimeoutMs: 600_000,
        firstTokenTimeoutMs: Number.POSITIVE_INFINITY,
        idleTimeoutMs: 120_000,
        progressTimeoutMs: Number.POSITIVE_INFINITY,
        maxStreamDurationMs: 1_800_000,
        maxResponseBytes: 256 * 1024 * 1024,
        maxEventBytes: 64 * 1024 * 1024,
        drainTimeoutMs: 60_000,
        maxOutputTokens: Number.POSITIVE_INFINITY,
        terminatorGraceMs: 1000,
      },
      budgetMs: undefined,
      heartbeat: { everyMs: 15_000, beforeFirstByte: false },
      limitsFor: undefined,
      labelsOf: undefined,
      identify: undefined,
      policies: [],
      costOf: undefined,
      unpriced: [],
      onClientDisconnect: 'abort',
      resume: undefined,
      cache: undefined,
      errors: 'respond',
      format: undefined,
      includeUsage: true,
      estimateTokens: undefined,
      models: undefined,
      modelsOf: undefined,
      modelOptions: undefined,
      overload: undefined,
      onRequest: undefined,
      onResponse: undefined,
      onAnswer: undefined,
      readsRequests: false,
      onEvent: undefined,
      observers: [],
      onFinish: undefined,
      silencedWarnings: new Set(),
      proxy: {},
      routing: undefined,
    })
    assert.deepEqual(endpoints('/v1/chat/completions'), ['POST'])
    assert.equal(forwards('accept', exchange), true)
  })

  test('apply to missing options, and to those given as undefined', () => {
    const config = resolveOptions({ target, limits: { maxEventBytes: 5, idleTimeoutMs: undefined } })
    assert.deepEqual(config.limits, { ...defaultLimits, maxEventBytes: 5 })
  })

  test('let an upload stall for as long as the provider may be silent', () => {
    const upload = (limits: object) => resolveOptions({ target, limits }).limits.uploadIdleTimeoutMs
    assert.deepEqual([upload({}), upload({ idleTimeoutMs: 5 })], [120_000, 5])
    assert.equal(upload({ idleTimeoutMs: 5, uploadIdleTimeoutMs: false }), Infinity)
    const every = Object.fromEntries(
      [
        'auth',
        'headers',
        'forwardHeaders',
        'forwardCredentials',
        'endpoints',
        'limits',
        'turns',
        'heartbeat',
        'errors',
        'format',
        'includeUsage',
        'estimateTokens',
        'models',
        'modelOptions',
        'overload',
        'onRequest',
        'onEvent',
        'observers',
        'onFinish',
        'proxy',
      ].map((name) => [name, undefined]),
    )
    assert.equal(resolveOptions({ target, ...every }).heartbeat.everyMs, 15_000)
  })

  test('can be turned off by `false`', () => {
    const off = Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, false]))
    const config = resolveOptions({ target, limits: off, heartbeat: false, overload: false, includeUsage: false })
    assert.deepEqual(new Set(Object.values(config.limits)), new Set([Number.POSITIVE_INFINITY]))
    assert.deepEqual(config.heartbeat, { everyMs: Number.POSITIVE_INFINITY, beforeFirstByte: false })
    assert.deepEqual([config.overload, config.includeUsage], [undefined, false])
  })

  test('are not changed by the options of one middleware', () => {
    resolveOptions({ target, limits: { maxEventBytes: 5 } })
    assert.equal(resolveOptions({ target }).limits.maxEventBytes, 64 * 1024 * 1024)
  })
})

describe('target', () => {
  for (const [given, origin, prefix] of [
    ['https://api.openai.com', 'https://api.openai.com', ''],
    ['https://api.openai.com/', 'https://api.openai.com', ''],
    ['https://api.openai.com/v1', 'https://api.openai.com', '/v1'],
    ['https://api.openai.com/v1///', 'https://api.openai.com', '/v1'],
    ['http://localhost:11434/a/b/', 'http://localhost:11434', '/a/b'],
    ['http://[::1]:80', 'http://[::1]', ''],
    ['HTTPS://API.Example:443', 'https://api.example', ''],
    [new URL('https://x.example/y'), 'https://x.example', '/y'],
  ] as const) {
    test(String(given), () => {
      const config = resolveOptions({ target: given })
      assert.deepEqual([config.origin, config.prefix], [origin, prefix])
    })
  }

  for (const [given, says] of [
    [undefined, /^aiProxy: target takes the base URL of the provider, like "https:.*; got undefined$/],
    [5, /target takes .*; got 5/],
    [null, /target takes .*; got null/],
    ['', /target takes/],
    ['api.openai.com', /with its "https:\/\/"; got 'api.openai.com'/],
    ['localhost:11434', /target takes/],
    ['ftp://x.example', /http: or https:/],
    ['ws://x.example', /http: or https:/],
    ['https://x.example/?a=1', /auth\.query/],
    ['https://x.example/#a', /target takes/],
    ['https://user:pw@x.example', /auth\.headers/],
    ['https://:pw@x.example', /auth\.headers/],
    ['https://', /target takes/],
  ] as const) {
    test(`${inspect(given)} throws`, () => assert.match(complaint({ target: given }), says))
  }
})

test('limits: null is refused', () => {
  assert.match(
    complaint({ target, limits: null as never }),
    /^aiProxy: limits takes an object, or a function; got null/,
  )
})

describe('modelOptions', () => {
  for (const name of ['defaults', 'overrides'] as const) {
    for (const limit of [Number.NaN, Infinity, 'x', -1, 0, 1.5, false, null, {}, []]) {
      test(`${name}.maxOutputTokens is not ${JSON.stringify(limit)} (${String(limit)})`, () => {
        assert.ok(
          complaint({ target, modelOptions: { [name]: { maxOutputTokens: limit } } as never }).startsWith(
            `aiProxy: modelOptions.${name}.maxOutputTokens takes a whole number of at least 1; got `,
          ),
        )
      })
    }
  }

  for (const name of ['maxOutputToken', 'maxoutputtokens', 'maxOutputsTokens', 'maxOutTokens']) {
    test(`.overrides.${name} is rejected as a typo`, () => {
      assert.match(
        complaint({ target, modelOptions: { overrides: { [name]: 5 } } }),
        new RegExp(`modelOptions\\.overrides\\.${name} .*Did you mean modelOptions\\.overrides\\.maxOutputTokens\\?`),
      )
    })
  }

  for (const [slip, meant] of [
    ['temprature', 'temperature'],
    ['max_token', 'max_tokens'],
    ['reasoning_efort', 'reasoning_effort'],
    ['generationconfig', 'generationConfig'],
  ] as const) {
    test(`.defaults.${slip} is rejected as a typo`, () => {
      const says = `modelOptions.defaults.${slip} is not a known field. Did you mean modelOptions.defaults.${meant}?`
      assert.equal(complaint({ target, modelOptions: { defaults: { [slip]: 5 } } }), `aiProxy: ${says}`)
    })
  }

  test('are typed, so that the compiler rejects typos as well', () => {
    // @ts-expect-error It has one letter too few.
    assert.throws(() => resolveOptions({ target, modelOptions: { overrides: { maxOutputToken: 5 } } }), TypeError)
    // @ts-expect-error It is a number.
    const wrong = { target, modelOptions: { defaults: { temperature: '1' } } } satisfies Parameters<
      typeof resolveOptions
    >[0]
    assert.ok(wrong)
    const own = { temperature: 1, vendor_field: 'x', preset: undefined }
    assert.equal(resolveOptions({ target, modelOptions: { defaults: own } }).modelOptions?.defaults, own)
  })

  test('accept any field of a provider', () => {
    const defaults = { max_tokens: 1, max_output_tokens: 1, maxTokens: 1, generationConfig: { maxOutputTokens: 1 } }
    assert.equal(resolveOptions({ target, modelOptions: { defaults } }).modelOptions?.defaults, defaults)
  })
})

describe('an invalid value throws, naming the option, what it got and what it takes', () => {
  const duration = /^aiProxy: (.*) takes a (?:whole )?number above 0, or false for no limit; got (.*)$/
  for (const name of Object.keys(defaultLimits)) {
    for (const value of [0, -1, Number.NaN, '5', null, true, {}, Infinity, -Infinity, 5n]) {
      test(`limits.${name}: ${inspect(value)}`, () => {
        const [, option, got] = duration.exec(complaint({ target, limits: { [name]: value } })) ?? []
        assert.deepEqual([option, got], [`limits.${name}`, inspect(value)])
      })
    }
  }

  const table: [options: Record<string, unknown>, says: RegExp][] = [
    [
      { headers: { 'Content-Length': '5' } },
      /headers\.content-length takes a header that does not frame HTTP messages/,
    ],
    [
      { auth: { headers: { Connection: 'x' } } },
      /auth\.headers\.connection takes a header that does not frame HTTP messages/,
    ],
    ...[0.5, 1.5, 2 ** 53].flatMap((count): [Record<string, unknown>, RegExp][] => [
      [{ limits: { maxConcurrentExchanges: count } }, /limits\.maxConcurrentExchanges takes a whole number above 0/],
      [
        { target: undefined, targets: [{ name: 'a', target, maxConcurrent: count }] },
        /targets\[0\]\.maxConcurrent takes a whole number above 0/,
      ],
    ]),
    [{ limits: 5 }, /^aiProxy: limits takes an object, or a function; got 5$/],
    [{ limits: [] }, /limits takes an object, or a function; got \[\]/],
    [{ turns: 5 }, /turns takes an object; got 5/],
    [{ turns: { budgetMs: 0 } }, /turns\.budgetMs takes a number above 0; got 0/],
    [{ turns: { budgetMs: '1' } }, /turns\.budgetMs takes a number above 0; got '1'/],
    [{ turns: { budgetMs: Number.NaN } }, /turns\.budgetMs takes .*; got NaN/],
    [{ turns: { budgetMs: Infinity } }, /turns\.budgetMs takes .*; got Infinity/],
    [{ heartbeat: { everyMs: -1 } }, /heartbeat\.everyMs takes a number above 0; got -1/],
    [{ heartbeat: { everyMs: 0 } }, /heartbeat\.everyMs takes .*; got 0/],
    [{ heartbeat: { everyMs: '15s' } }, /heartbeat\.everyMs takes .*; got '15s'/],
    [{ heartbeat: { everyMs: Number.NaN } }, /heartbeat\.everyMs takes .*; got NaN/],
    [{ heartbeat: { beforeFirstByte: 'yes' } }, /heartbeat\.beforeFirstByte takes true or false; got 'yes'/],
    [{ heartbeat: { beforeFirstByte: 1 } }, /heartbeat\.beforeFirstByte takes true or false; got 1/],
    [{ heartbeat: 0 }, /heartbeat takes an object, or false; got 0/],
    [{ heartbeat: 5000 }, /heartbeat takes an object, or false; got 5000/],
    [{ heartbeat: true }, /heartbeat takes an object, or false; got true/],
    [{ heartbeat: new Map() }, /heartbeat takes an object, or false; got Map\(0\) \{\}/],
    [{ heartbeat: [] }, /heartbeat takes an object, or false; got \[\]/],
    [{ overload: 0 }, /overload takes an object, or false; got 0/],
    [{ overload: new Date(0) }, /overload takes an object, or false; got 1970/],
    [{ onClientDisconnect: 'stop' }, /onClientDisconnect takes 'abort', 'drain' or 'keep'; got 'stop'/],
    [{ onClientDisconnect: 'keep' }, /'keep' only with the option `resume`/],
    [{ resume: new Map() }, /resume takes an object like \{ who: .*\}, or false; got Map/],
    [{ cache: new Map() }, /cache takes an object like \{ ttlMs: .*\}, or false; got Map/],
    [{ format: [] }, /format takes a built-in format's name, or an object that describes a format; got \[\]/],
    [{ resume: true }, /resume takes an object like \{ who: .*\}, or false; got true/],
    [
      { resume: {} },
      /resume\.who takes a function that says who asks, because the option `identify` is not set; got undefined/,
    ],
    [{ resume: { who: () => 'a', windowMs: 0 } }, /resume\.windowMs takes a number above 0; got 0/],
    [{ resume: { who: () => 'a', graceMs: -1 } }, /resume\.graceMs takes a number of at least 0; got -1/],
    [
      { resume: { who: () => 'a', journal: {} } },
      /resume\.journal takes a journal: memoryJournal\(\), or redisJournal/,
    ],
    [{ resume: { who: () => 'a', window: 1 } }, /no option resume\.window\. Did you mean resume\.windowMs\?/],
    [{ cache: { ttlMs: 1 } }, /cache\.scope takes a function that names those who share answers/],
    [{ cache: { scope: () => 'a' } }, /cache\.ttlMs takes a number above 0; got undefined/],
    [
      { cache: { scope: () => 'a', ttlMs: 1, pace: 'slow' } },
      /cache\.pace takes 'instant', 'recorded' or \{ tokensPerSecond \}; got 'slow'/,
    ],
    [
      { cache: { scope: () => 'a', ttlMs: 1, pace: new Map() } },
      /cache\.pace takes 'instant', 'recorded' or \{ tokensPerSecond \}; got Map/,
    ],
    [
      { cache: { scope: () => 'a', ttlMs: 1, pace: { tokensPerSecond: 0 } } },
      /cache\.pace\.tokensPerSecond takes a number above 0/,
    ],
    [{ policies: [{ ...passing, name: '' }] }, /policies\[0\]\.name takes a name, .*; got ''/],
    [{ policies: [{ name: 'idle' }] }, /policies\[0\] takes a policy, which has `admit`, `progress` or `settle`/],
    [{ policies: [passing, passing] }, /policies\[1\] takes each policy once; got \{ name: 'passing'/],
    [{ joinIdentical: true }, /joinIdentical takes true only with the option `cache`/],
    [{ onClientDisconnect: 'darin' }, /did you mean 'drain'\?.*got 'darin'/],
    [{ onClientDisconnect: true }, /onClientDisconnect takes 'abort', 'drain' or 'keep'; got true/],
    [{ errors: 'throw' }, /errors takes 'respond', 'next' or a function; got 'throw'/],
    [{ errors: 'response' }, /did you mean 'respond'/],
    [{ onFinish: 'log' }, /onFinish takes a function; got 'log'/],
    [{ labels: { tenant: 'a' } }, /labels takes a function; got \{ tenant: 'a' \}/],
    [{ onFinish: {} }, /onFinish takes a function; got \{\}/],
    [{ headers: [] }, /headers takes an object; got an array/],
    [{ headers: { 'x-a': 5 } }, /headers\.x-a takes a string; got a number/],
    [{ headers: { 'x-a': undefined } }, /headers\.x-a takes a string; got undefined/],
    [{ headers: { 'x a': 'b' } }, /headers\.x a takes a valid HTTP header name; got 'x a'/],
    [{ headers: { 'x-a': 'b\nc' } }, /headers\.x-a takes a value that an HTTP header can carry/],
    [{ forwardHeaders: 'accept' }, /forwardHeaders takes .*; got 'accept'/],
    [{ forwardHeaders: ['cookie'] }, /forwardHeaders takes .*; got 'cookie'/],
    [{ forwardHeaders: [''] }, /forwardHeaders takes names of headers; .*; got ''/],
    [{ forwardHeaders: ['x-*-id'] }, /forwardHeaders takes .*'\*' .* at the end of a name only; got 'x-\*-id'/],
    [{ forwardHeaders: ['accept', 'x-a: b'] }, /forwardHeaders takes names of headers; .*; got 'x-a: b'/],
    [{ models: ['o3', 'fast-*'] }, /models\[1\] takes a model's whole name, .*RegExp like .*; got 'fast-\*'/],
    [{ observers: [{}] }, /observers\[0\] takes an observer, .* onRequest, onAttempt, onTurn, onFinish; got \{\}/],
    [{ observers: [{ onFinnish() {} }] }, /observers\[0\] takes an observer, .*; got \{ onFinnish: /],
    [{ observers: [{ onTurn() {}, onFinish: 5 }] }, /observers\[0\]\.onFinish takes a function; got 5/],
    [{ forwardHeaders: ['authorization'], auth: { query: { key: 'k' } } }, /forwardHeaders takes .*`auth` is set/],
    [{ endpoints: 'everything' }, /endpoints takes a list of strings and RegExps, or 'all'; got 'everything'/],
    [{ forwardCredentials: 'yes' }, /forwardCredentials takes true or false; got 'yes'/],
    [
      { forwardCredentials: true, auth: { query: { key: 'k' } } },
      /forwardCredentials takes true only if neither `auth`/,
    ],
    [
      { forwardCredentials: true, headers: { 'x-api-key': 'k' } },
      /forwardCredentials takes true only if neither `auth`/,
    ],
    [{ endpoints: [5] }, /endpoints\[0\] takes .*; got 5/],
    [{ endpoints: ['https://api.test/chat'] }, /endpoints\[0\] takes .*; got 'https:\/\/api\.test\/chat'/],
    [
      { auth: { headers: { authorization: undefined } } },
      /auth\.headers\.authorization takes .*environment variable.*; got undefined/,
    ],
    [{ auth: { headers: { authorization: '' } } }, /auth\.headers\.authorization takes .*; got an empty string/],
    [{ auth: { headers: { 'x-api-key': ' ' } } }, /auth\.headers\.x-api-key takes .*; got an empty string/],
    [{ auth: { headers: { authorization: 'Bearer ' } } }, /authorization takes .*; got a scheme without a credential/],
    [{ auth: { headers: { authorization: 'x undefined' } } }, /authorization takes .*; got a string that ends in "und/],
    [{ auth: { query: { key: 5 } } }, /auth\.query\.key takes .*; got a number/],
    [{ auth: { headers: { 'x a': 'b' } } }, /auth\.headers\.x a takes a valid HTTP header name/],
    [{ auth: { headers: { 'x a': () => 'b' } } }, /auth\.headers\.x a takes a valid HTTP header name/],
    [{ proxy: 5 }, /proxy takes an object; got 5/],
    [{ proxy: { secure: 'no' } }, /proxy\.secure takes true or false; got 'no'/],
    [{ warnings: ['AI_PROXY_TRUST_PROXY'] }, /warnings takes true, false, or an object like/],
    [{ warnings: new Map() }, /warnings takes true, false, or an object like .*; got Map/],
    [{ warnings: null }, /warnings takes true, false, or an object like .*; got null/],
    [{ warnings: { AI_PROXY_KEEP_ALIVE: 0 } }, /warnings\.AI_PROXY_KEEP_ALIVE takes true or false; got 0/],
    [{ proxy: { fastPath: 0 } }, /proxy\.fastPath takes true or false; got 0/],
    [{ proxy: { xfwd: 1 } }, /proxy\.xfwd takes true or false; got 1/],
    [{ proxy: { changeOrigin: null } }, /proxy\.changeOrigin takes true or false; got null/],
    [{ proxy: { localAddress: 5 } }, /proxy\.localAddress takes an IP address; got 5/],
    [{ proxy: { localAddress: '' } }, /proxy\.localAddress takes an IP address; got ''/],
    [{ proxy: { localAddress: Symbol('s') } }, /proxy\.localAddress takes an IP address; got Symbol\(s\)/],
    [{ proxy: { localAddress: 'eth0' } }, /proxy\.localAddress takes an IP address; got 'eth0'/],
    [{ proxy: { agent: {} } }, /proxy\.agent takes an http\.Agent or https\.Agent; got \{\}/],
    [{ proxy: { agent: [] } }, /proxy\.agent takes an http\.Agent or https\.Agent; got \[\]/],
    [{ proxy: { agent: null } }, /proxy\.agent takes an http\.Agent or https\.Agent; got null/],
    [{ proxy: { ssl: 'ca' } }, /proxy\.ssl takes an object; got 'ca'/],
    [{ proxy: { ssl: { ca: 5 } } }, /proxy\.ssl takes TLS options that Node can use; got .* ERR_INVALID_ARG_TYPE$/],
    [
      { proxy: { ssl: { key: '-----BEGIN PRIVATE KEY-----\nhunter2' } } },
      /proxy\.ssl takes TLS options that Node can use; got options for which Node reports \w+$/,
    ],
    [{ proxy: { agent: 'keep-alive' } }, /proxy\.agent takes an http\.Agent or https\.Agent; got 'keep-alive'/],
    [
      { proxy: { agent: new http.Agent() } },
      /proxy\.agent takes an agent for the target's https:; got an agent for http:/,
    ],
    [{ proxy: { agent: new https.Agent(), ssl: {} } }, /proxy\.ssl takes TLS options for the default agent only/],
  ]
  for (const [options, says] of table) {
    test(inspect(options, { breakLength: Infinity, depth: 2 }), () => {
      const message = complaint({ target, ...options })
      assert.match(message, says)
      assert.match(message, /^aiProxy: /)
    })
  }

  for (const options of [undefined, null, 'https://api.openai.com', 5, [], () => {}]) {
    test(`aiProxy(${inspect(options)})`, () => assert.match(complaint(options), /aiProxy: options takes an object/))
  }

  test('an http: agent is accepted for an http: target', () => {
    const agent = new http.Agent()
    assert.equal(resolveOptions({ target: 'http://x.example', proxy: { agent } }).proxy.agent, agent)
    assert.match(complaint({ target: 'http://x.example', proxy: { agent: new https.Agent() } }), /proxy\.agent/)
  })
})

describe('an unknown option throws, suggesting a known one', () => {
  const table: [options: Record<string, unknown>, wrong: string, meant: string | undefined][] = [
    [{ headrs: {} }, 'headrs', 'headers'],
    [{ header: {} }, 'header', 'headers'],
    [{ forwardheaders: [] }, 'forwardheaders', 'forwardHeaders'],
    [{ endpoint: 'all' }, 'endpoint', 'endpoints'],
    [{ limit: {} }, 'limit', 'limits'],
    [{ heartbeatMs: 5 }, 'heartbeatMs', 'heartbeat.everyMs'],
    [{ heartbeatBeforeFirstByte: true }, 'heartbeatBeforeFirstByte', 'heartbeat.beforeFirstByte'],
    [{ heartbeat: { every: 5 } }, 'heartbeat.every', 'heartbeat.everyMs'],
    [{ label: 5 }, 'label', 'labels'],
    [{ onFinished: 5 }, 'onFinished', 'onFinish'],
    [{ onDisconnect: 'abort' }, 'onDisconnect', 'onClientDisconnect'],
    [{ idleTimeoutMs: 5 }, 'idleTimeoutMs', 'limits.idleTimeoutMs'],
    [{ idleTimeout: 5 }, 'idleTimeout', 'limits.idleTimeoutMs'],
    [{ maxEventBytes: 5 }, 'maxEventBytes', 'limits.maxEventBytes'],
    [{ budgetMs: 5 }, 'budgetMs', 'turns.budgetMs'],
    [{ agent: {} }, 'agent', 'proxy.agent'],
    [{ attempts: 2 }, 'attempts', 'retry.attempts'],
    [{ graceMs: 5 }, 'graceMs', 'resume.graceMs'],
    [{ limits: { ttlMs: 5 } }, 'limits.ttlMs', 'cache.ttlMs'],
    [{ scope: () => 'a' }, 'scope', 'cache.scope'],
    [{ changeOrigin: true }, 'changeOrigin', 'proxy.changeOrigin'],
    [{ limits: { idleTimeout: 5 } }, 'limits.idleTimeout', 'limits.idleTimeoutMs'],
    [{ limits: { maxrequestbytes: 5 } }, 'limits.maxrequestbytes', 'limits.maxRequestBytes'],
    [{ turns: { budget: 5 } }, 'turns.budget', 'turns.budgetMs'],
    [{ proxy: { changeOrgin: true } }, 'proxy.changeOrgin', 'proxy.changeOrigin'],
    [{ auth: { header: {} } }, 'auth.header', 'auth.headers'],
    // Where they stand is wrong, too.
    [{ limits: { everyMs: 5 } }, 'limits.everyMs', 'heartbeat.everyMs'],
    [{ query: { key: 'k' } }, 'query', 'auth.query'],
    [{ warnings: { AI_PROXY_TRUST_PROXI: false } }, 'warnings.AI_PROXY_TRUST_PROXI', 'warnings.AI_PROXY_TRUST_PROXY'],
    // Nothing comes close.
    [{ pathRewrite: {} }, 'pathRewrite', undefined],
    [{ timeout: 5 }, 'timeout', undefined],
    [{ x: 5 }, 'x', undefined],
    [{ limits: { x: 5 } }, 'limits.x', undefined],
  ]
  for (const [options, wrong, meant] of table) {
    test(`${wrong}: ${meant ?? 'none'}`, () => {
      const message = complaint({ target, ...options })
      assert.ok(message.startsWith(`aiProxy: there is no option ${wrong}.`), message)
      assert.equal(/Did you mean (\S+)\?/.exec(message)?.[1], meant, message)
    })
  }

  test('without a similar one, all options are listed', () => {
    const message = complaint({ target, x: 1 })
    for (const name of ['target', 'auth', 'limits', 'turns', 'onFinish']) assert.ok(message.includes(name), name)
  })
})

describe('no error message contains a secret', () => {
  const SECRET = 'hunter2-sk-live'
  const table: [name: string, options: Record<string, unknown>][] = [
    ['a password in the target', { target: `https://user:${SECRET}@x.example` }],
    ['a user name in the target', { target: `https://${SECRET}@x.example` }],
    ['a password in a target that is a URL object', { target: new URL(`https://user:${SECRET}@x.example`) }],
    ['a password in a target with another protocol', { target: `ftp://user:${SECRET}@x.example` }],
    ['a password in a target that is not a URL', { target: `https://user:${SECRET}@x.example:99999999` }],
    ['a password in a target without a protocol', { target: `user:${SECRET}@x.example/v1` }],
    ['a key in the target’s query', { target: `https://x.example/?key=${SECRET}` }],
    ['a key in the query of a target with another protocol', { target: `wss://x.example/?key=${SECRET}` }],
    ['a key in the fragment of a target with another protocol', { target: `wss://x.example/#${SECRET}` }],
    ['a credential that a header cannot have', { target, auth: { headers: { authorization: `Bearer ${SECRET}\n` } } }],
    ['a credential in a list', { target, auth: { headers: { authorization: [SECRET] } } }],
    ['a credential in an object', { target, auth: { query: { key: { value: SECRET } } } }],
    ['a credential in place of auth', { target, auth: SECRET }],
    ['a credential in place of auth.headers', { target, auth: { headers: `Bearer ${SECRET}` } }],
    ['a credential in place of auth.query', { target, auth: { query: [SECRET] } }],
    ['a credential next to auth.headers', { target, auth: { authorization: SECRET } }],
    ['a credential in headers', { target, headers: { authorization: `Bearer ${SECRET}\n` } }],
    ['a credential in a list in headers', { target, headers: { 'x-api-key': [SECRET] } }],
    ['a credential in an option that does not exist', { target, apiKey: SECRET }],
  ]
  for (const [name, options] of table) {
    test(name, () => {
      const message = complaint(options)
      assert.ok(!message.includes(SECRET), message)
      assert.ok(!message.includes('hunter2'), message)
    })
  }
})

describe('holdsCredentials', () => {
  for (const [name, options, holds] of [
    ['none', {}, false],
    ['auth without any', { auth: { headers: {} } }, false],
    ['a header', { auth: { headers: { authorization: 'x' } } }, true],
    ['any header of auth', { auth: { headers: { 'x-custom': 'x' } } }, true],
    ['a query parameter', { auth: { query: { key: 'x' } } }, true],
    ['a function', { auth: { headers: { authorization: () => 'x' } } }, true],
    ['a credential in headers', { headers: { Authorization: 'x' } }, true],
    ['a harmless header', { headers: { 'x-team': 'x' } }, false],
    ['a header that may be a credential', { headers: { 'x-gateway-ticket': 'x' } }, true],
    [
      'the same header with forwardCredentials: true',
      { headers: { 'x-gateway-ticket': 'x' }, forwardCredentials: true },
      false,
    ],
    ['none with forwardCredentials: false', { forwardCredentials: false }, true],
  ] as const) {
    test(`${name}: ${holds}`, () => {
      const config = resolveOptions({ target, ...options })
      assert.equal(config.holdsCredentials, holds)
      assert.equal(config.forwards('authorization', exchange), !holds)
    })
  }
})
