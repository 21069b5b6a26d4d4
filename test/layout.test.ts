import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { suite, test } from 'node:test'

/** The folders of lib/, the lowest first: each may import itself and those before it. */
const FOLDERS = [
  ...[
    'client',
    'util',
    'json',
    'framing',
    'formats',
    'api',
    'pricing',
    'options',
    'identity',
    'scheduling',
    'exchange',
  ],
  ...[
    'metering',
    'metrics',
    'request',
    'policies',
    'quota',
    'queue',
    'journal',
    'routing',
    'upstream',
    'response',
    'handle',
  ],
]
const ROOT = join(__dirname, '..')

suite('the layout', () => {
  test('every folder of lib/ belongs to the layout', () => {
    const nested = filesBelow('lib').filter((file) => file.split('/').length > 2)
    assert.deepEqual([...new Set(nested.map((file) => file.split('/')[1]))].sort(), [...FOLDERS].sort())
  })

  test('only the entry points and aiProxy() are at the root of lib/', () => {
    const files = readdirSync(join(ROOT, 'lib')).filter((name) => /\.m?ts$/.test(name))
    const entries = ['client', 'index', 'journal', 'opentelemetry', 'prices', 'prometheus', 'quota', 'queue'].flatMap(
      (name) => [`${name}.ts`, `${name}.mts`],
    )
    assert.deepEqual(files.sort(), ['ai-proxy.ts', ...entries].sort())
  })

  test('no import in lib/ goes to a higher folder', () => {
    const up = importsBelow('lib').filter(([from, to]) => floorOf(to) > floorOf(from))
    assert.deepEqual(up, [])
  })

  test('no file of lib/response/ has more than 250 lines', () => {
    const long = filesBelow('lib/response').filter(
      (file) => readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length > 250,
    )
    assert.deepEqual(long, [])
  })

  test('only comments mention providers outside lib/formats/', () => {
    const provider =
      /openai|anthropic|claude|gemini|google|vertex|bedrock|cohere|ollama|mistral|hugging|azure|groq|deepseek|openrouter|perplexity|together[-.]?(?:ai|computer|xyz)|fireworks|nvidia|nvcf|vllm|litellm|\bx\.?ai\b|\bgrok|\bgpt-|x-goog|x-amz|x-ms-|x-api-key|stream_options|extra_body|stainless|x-ratelimit|should-retry|retry-after-ms|processing-ms|cf-ray|x-title|\[done\]/i
    const found = filesBelow('lib').filter((file) => !file.startsWith('lib/formats/'))
    const lines = found.flatMap((file) => codeOf(file).map((line) => `${file}: ${line.trim()}`))
    // Examples in errors.
    const allowed = [
      "lib/options/format.ts: invalidOption('format.usageRequest', usageRequest, \"two names, like ['stream_options', 'include_usage']\")",
      'lib/options/provider.ts: const takes = \'the base URL of the provider, like "https://api.openai.com"\'',
      "lib/options/target-models.ts: \"a list of names, RegExps and maps, or a map from the client's name of a model to the provider's: { fast: 'gpt-4.1-mini' }\"",
    ]
    assert.deepEqual(
      lines.filter((line) => provider.test(line.slice(line.indexOf(': '))) && !allowed.includes(line)),
      [],
    )
  })

  test('lib/routing/ has no clock, chance or I/O of its own', () => {
    const own =
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.|process\.|set(Timeout|Interval|Immediate)\()|'node:(?!crypto'|util')/
    const lines = filesBelow('lib/routing').flatMap((file) => codeOf(file).map((line) => `${file}: ${line.trim()}`))
    assert.ok(lines.length > 0)
    assert.deepEqual(
      lines.filter((line) => own.test(line)),
      [],
    )
  })

  // See V8 in docs/performance.md.
  test('no function is written where it is assigned to a property, but by what runs once in a middleware', () => {
    const assigned =
      /\w(?:\(.*\))?\.#?\w+\s*(?:\?\?|\|\|)?=\s*\(?(?:async\b\s*)?(?:\((?:[^()]|\([^()]*\))*\)(?:\s*:[^=;\n]+)?\s*=>|\w+\s*=>|function\b)/
    const once = ['exchange/observers', 'handle/target-room', 'upstream/agent', 'upstream/environment-proxy']
    const found = filesBelow('lib').filter((file) => assigned.test(codeOf(file).join('\n')))
    assert.deepEqual(
      found.filter((file) => !file.startsWith('lib/client/')),
      once.map((file) => `lib/${file}.ts`),
    )
    for (const code of [
      'a.b = () => 1',
      'this.#b ??= async (c: D): Promise<E> => c',
      'a().b =\n  c => c',
      'a.b = (function () {})',
    ])
      assert.match(code, assigned)
  })

  for (const folder of ['lib', 'bench', 'example-app']) {
    test(`the imports in ${folder}/ form no circle`, () => {
      assert.deepEqual(circleIn(importsBelow(folder)), undefined)
    })
  }

  test('CONTRIBUTING.md shows every folder', () => {
    const shown = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
    assert.deepEqual(
      FOLDERS.filter((folder) => !shown.includes(`${folder}/`)),
      [],
    )
  })

  test('imports are found however they are written', () => {
    const code = [
      "import './a.js'; import type { B } from './b.js'",
      "export { type C as 'x' } from './c.js'",
      "export * from './d.js'",
      'const e = import(`./e.js`), f = import( "./f.js" ), g = require(\'./g.js\')',
      "// import './no.js'",
      "const path = 'lib/*' // import './no.js'",
      "import './h.js' /* import './no.js' */",
    ]
    assert.deepEqual(
      importsIn(code.join('\n')),
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => `./${name}.js`),
    )
  })

  test('only comments count as comments', () => {
    const code = "const a = 'lib/*'\nconst b = /[/*'`]/ // c\nconst d = `//e` /* f\n*/ + \"/*\" /** g */\n"
    assert.equal(withoutComments(code), "const a = 'lib/*'\nconst b = /[/*'`]/  \nconst d = `//e`   + \"/*\"  \n")
  })

  test('a circle is detected', () => {
    const imports: Import[] = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'b'],
    ]
    assert.deepEqual(circleIn(imports), ['b', 'c', 'b'])
  })
})

type Import = readonly [from: string, to: string]

/** The layer of a file's folder; files at the root of lib/ are above all folders. */
function floorOf(file: string): number {
  const [, folder = ''] = file.split('/')
  return FOLDERS.includes(folder) ? FOLDERS.indexOf(folder) : FOLDERS.length
}

/** The lines of a file without comments. */
function codeOf(file: string): string[] {
  return withoutComments(readFileSync(join(ROOT, file), 'utf8')).split('\n')
}

/** What may look like the beginning of a comment, and is none: strings, templates, RegExps. Then comments. */
const LITERAL_OR_COMMENT =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|(?<=(?:[=(,:;!&|?{}[>]|\breturn|^)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)|\/\*[\s\S]*?\*\/|\/\/.*/gm

function withoutComments(code: string): string {
  return code.replace(LITERAL_OR_COMMENT, (_, literal: string | undefined) => literal ?? ' ')
}

/** Returns the relative paths that code imports, however the import is written. */
function importsIn(code: string): string[] {
  const matches = withoutComments(code).matchAll(/\b(?:from|import|import\(|require\()\s*(['"`])(\.[^'"`]+)\1/g)
  return [...matches].map(([, , path]) => path!)
}

/** Every import of one file below a folder by another, types included. */
function importsBelow(folder: string): Import[] {
  return filesBelow(folder).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    return importsIn(text)
      .map((path) => fileAt(normalize(join(dirname(file), path))))
      .filter((to): to is string => to?.startsWith(`${folder}/`) ?? false)
      .map((to): Import => [file, to])
  })
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
}

/** The source file that an import names by what it is compiled to. */
function fileAt(path: string): string | undefined {
  const spellings = [path.replace(/js$/, 'ts'), path, `${path}.ts`, `${path}/index.ts`]
  return spellings.find((each) => existsSync(join(ROOT, each)) && statSync(join(ROOT, each)).isFile())
}

/** The first circle that the imports form, from a file back to itself. */
function circleIn(imports: readonly Import[]): string[] | undefined {
  const targets = new Map<string, string[]>()
  for (const [from, to] of imports) targets.set(from, [...(targets.get(from) ?? []), to])
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const to of targets.get(file) ?? []) {
      const circle = visit(to, [...path, file])
      if (circle) return circle
    }
    done.add(file)
    return undefined
  }
  for (const file of targets.keys()) {
    const circle = visit(file, [])
    if (circle) return circle
  }
  return undefined
}
