import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './packed.js'

const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('.editorconfig agrees with Biome', () => {
  const { formatter } = JSON.parse(read('biome.json'))
  const [, settings] = /\[\*\]\n(.*?)\n\n/s.exec(read('.editorconfig'))!
  assert.deepEqual(Object.fromEntries(settings!.split('\n').map((line) => line.split(' = '))), {
    charset: 'utf-8',
    end_of_line: formatter.lineEnding ?? 'lf',
    indent_style: formatter.indentStyle,
    indent_size: String(formatter.indentWidth),
    max_line_length: String(formatter.lineWidth),
    insert_final_newline: 'true',
    trim_trailing_whitespace: 'true',
  })
})
