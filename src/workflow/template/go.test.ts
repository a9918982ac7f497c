import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isFault, parseTemplate } from './parse.ts'
import { evaluate, MISSING } from './template.ts'

const scope = {
  x: 5,
  y: 'yes',
  empty: '',
  none: null,
  no: false,
  list: [1, 2, 3],
  o: { b: 1, 'a b': 2, 'c-d': { e: 3 } },
}

function give(text: string): unknown {
  const parsed = parseTemplate(text)
  if (isFault(parsed)) throw new Error(`${parsed.message} ${parsed.hint}`)
  expect(parsed.dialect).toBe('go')
  return evaluate(parsed, scope, { now: 0 })
}

test.each<[string, unknown]>([
  ['{{ .x }}', 5],
  ['{{- .x -}}', 5],
  [' {{- .x -}} ', 5],
  ['{{ $.o.c-d.e }}', 3],
  ['{{ .o.["a b"] }}', 2],
  ['{{ .o["a b"] }}', 2],
  ['{{ .list[1] }}', 2],
  ['{{ .list.[1] }}', 2],
  ['{{ .list.1 }}', 2],
  ["{{ eq .y 'yes' }}", true],
  ['{{ eq .y `yes` }}', true],
  ['{{ .absent }}', MISSING],
  ['{{ .absent.deeper }}', MISSING],
  ['{{ index .list 7 }}', MISSING],
  ['{{ nil | default "d" }}', 'd'],
  ['{{ 12345678901234567890 | eq 12345678901234567890 }}', true],
  ['{{ 12345678901234567890 | eq 12345678901234567891 }}', false],
  ['{{ with $v := .o }}{{ $v.b }}{{ .b }}{{ end }}', '11'],
  ['{{ with .absent }}a{{ else with .y }}{{ . }}{{ else }}c{{ end }}', 'yes'],
  ['{{ with .absent }}a{{ else with .none }}b{{ else }}c{{ end }}', 'c'],
  ['{{ if $v := .absent }}a{{ else if $w := .y }}{{ $w }}{{ end }}', 'yes'],
  ['{{ range .absent }}{{ else }}none{{ end }}', 'none'],
  ['{{ exists .absent }}', false],
])('%j', (text, value) => {
  expect(give(text)).toEqual(value)
})

// What Go's own text/template makes of them (1.26, values decoded from JSON, numbers as Go integers).
const measured = JSON.parse(readFileSync(new URL('go.json', import.meta.url), 'utf8')) as {
  scope: object
  cases: { template: string; text: string }[]
}

test.each(measured.cases)('as Go: $template', ({ template, text }) => {
  const parsed = parseTemplate(template)
  if (isFault(parsed)) throw new Error(`${parsed.message} ${parsed.hint}`)
  const value = evaluate(parsed, measured.scope, { now: 0 })
  expect(typeof value === 'string' ? value : JSON.stringify(value)).toBe(text)
})

test.each<[string, number, RegExp, (string | undefined)?]>([
  ['ab {{ template "x" }}', 6, /"template"/, 'write the text itself'],
  ['{{ define "x" }}{{ end }}', 3, /"define"/],
  ['{{ block "x" . }}{{ end }}', 3, /"block"/],
  ['{{ .x.Method 5 }}', 13, /takes no arguments/, 'methods cannot be called; a helper stands first: helper a b'],
  ['{{ eq .x 1i }}', 9, /no decimal number/],
  ['{{ eq .x 0x1F }}', 9, /no decimal number/],
  ['{{ .x == 5 }}', 6, /means nothing/, 'write: eq a b'],
  ['{{ .x && .y }}', 6, /means nothing/, 'write: and a b'],
  ['{{ if .x = 5 }}{{ end }}', 9, /not expected/, 'write eq a b to compare'],
  ['{{ pritnf "%s" .x }}', 3, /no helper "pritnf"/, 'did you mean "printf"?'],
  ['{{ json params | quote }}', 8, /no helper "params"/, 'a path starts with a dot: .params'],
  ['{{ .x | .y }}', 8, /piped into/],
  ['{{ $z }}', 3, /no variable \$z/],
  ['{{ $z = 1 }}', 3, /no variable \$z/, 'write $z := ...'],
  ['{{ if .x }}{{ $z := 1 }}{{ end }}{{ $z }}', 36, /no variable/],
  ['{{ if .x }}{{ $z := 1 }}{{ else if $z }}{{ end }}', 35, /no variable/],
  ['{{ $ := 1 }}', 3, /cannot be set/],
  ['{{ range .list }}', 0, /"range" is not closed/],
  ['{{ end }} {{ .x }}', 3, /closes nothing/],
  ['{{ else }} {{ .x }}', 0, /without a block/],
  ['{{ break }}', 3, /outside of range/],
  ['{{ (.x }}', 7, /the end/],
  ['{{ .x ) }}', 6, /not expected/],
  ['{{ eq "\\q" .x }}', 6, /no escape/],
  ['{{ eq .x "a }}', 9, /quote/],
  ['{{ .x }}{{ /* no end }}', 8, /comment/],
  ['{{ if .x }}a{{ else }}b{{ else }}c{{ end }}', 23, /second "else"/],
  ['{{ if $a, $b := .x }}{{ end }}', 10, /1 variable/],
  ['{{ params.x }} {{ .x }}', 18, /two spellings.*"params.x" at 3 is Handlebars, ".x" at 18 is Go/],
  ['{{ #if .x }}{{ /if }}', 3, /"#" means nothing/],
  ['{{#if .x}}{{/if}}', 6, /two spellings.*"{{#" at 0 is Handlebars, ".x" at 6 is Go/],
])('%j is refused', (text, offset, message, hint) => {
  const fault = parseTemplate(text)
  expect(fault).toMatchObject({ offset, message: expect.stringMatching(message) as string })
  if (hint !== undefined) expect(fault).toMatchObject({ hint })
})
