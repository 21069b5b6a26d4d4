/** The documentation as its readers get it: every page, with its headings, links and blocks of code. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const root = path.join(__dirname, '../..')

/** A fenced block of code. */
export interface Block {
  readonly page: string
  /** The heading that it stands below. */
  readonly heading: string
  /** Which of the page's blocks it is, from 1. */
  readonly number: number
  readonly language: string
  readonly code: string
}

export interface Page {
  /** Path from the root of the repository. */
  readonly file: string
  readonly text: string
  /** What a link can lead to within the page. */
  readonly anchors: ReadonlySet<string>
  readonly links: readonly string[]
  readonly blocks: readonly Block[]
}

/** The pages that are written by hand, and the reference that is generated. */
export const pages: readonly Page[] = [
  ...['README.md', 'CHANGELOG.md', 'SECURITY.md', 'CONTRIBUTING.md', 'bench/README.md', 'example-app/README.md'],
  ...pagesBelow('docs'),
].map(read)

function pagesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`
    if (entry.isDirectory()) return pagesBelow(file)
    return file.endsWith('.md') ? [file] : []
  })
}

function read(file: string): Page {
  const text = readFileSync(path.join(root, file), 'utf8').replaceAll('\r\n', '\n')
  const prose: string[] = []
  const blocks: Block[] = []
  const anchors = new Set<string>()
  let heading = ''
  let block: { indent: string; language: string; lines: string[] } | undefined
  for (const line of text.split('\n')) {
    const fence = /^(\s*)```(\w*)/.exec(line)
    if (block) {
      if (!fence) block.lines.push(line.slice(block.indent.length))
      else {
        const code = `${block.lines.join('\n')}\n`
        blocks.push({ page: file, heading, number: blocks.length + 1, language: block.language, code })
        block = undefined
      }
    } else if (fence) block = { indent: fence[1]!, language: fence[2]!, lines: [] }
    else {
      prose.push(line)
      const [, title] = /^#{1,6} (.+)$/.exec(line) ?? []
      if (title !== undefined) {
        heading = title
        add(anchorOf(title), anchors)
      }
      for (const [, id] of line.matchAll(/<a id="([^"]+)">/g)) anchors.add(id!)
    }
  }
  if (block) throw new Error(`${file}: a block of code is not closed`)
  return { file, text, anchors, links: linksIn(prose.join('\n')), blocks }
}

/** As GitHub makes an anchor of a heading: of its text, without Markdown and punctuation. */
function anchorOf(title: string): string {
  return title
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
    .replaceAll(' ', '-')
}

/** Headings of the same text are numbered. */
function add(anchor: string, anchors: Set<string>): void {
  let name = anchor
  for (let again = 1; anchors.has(name); again++) name = `${anchor}-${again}`
  anchors.add(name)
}

function linksIn(prose: string): string[] {
  const withoutCode = prose.replace(/``[^\n]*?``|`[^`\n]*`/g, '``')
  const inline = [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
  const defined = [...withoutCode.matchAll(/^\[([^\]]+)\]: (\S+)$/gm)].map(([, name, link]) => [
    name!.toLowerCase(),
    link!,
  ])
  const names = new Set(defined.map(([name]) => name))
  for (const [, name] of withoutCode.matchAll(/\]\[([^\]]+)\]/g)) {
    // A link to a definition that is missing shows as plain text.
    if (!names.has(name!.toLowerCase())) inline.push(`undefined:${name}`)
  }
  return [...inline, ...defined.map(([, link]) => link!)]
}
