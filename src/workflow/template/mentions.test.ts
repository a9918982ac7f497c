import { expect, test } from 'vitest'
import { isFault, parseTemplate } from './parse.ts'

/** `a.b` is read, `a.b*` goes on with unknown names, `a.b?` may be missing. */
function mentions(text: string): string[] {
  const parsed = parseTemplate(text)
  if (isFault(parsed)) throw new Error(parsed.message)
  return parsed.mentions.map(
    ({ path, dynamic, optional }) => `${path.join('.')}${dynamic ? '*' : ''}${optional ? '?' : ''}`,
  )
}

test.each<[string, string[]]>([
  ['none', []],
  ['{{ .a.b }} {{ $.c }}', ['a.b', 'c']],
  ['{{ .a.b-c.0 }}', ['a.b-c.0']],
  ['{{ index .steps "a b" "output" 0 }}', ['steps.a b.output.0']],
  ['{{ (index .steps "a").output.x }}', ['steps.a.output.x']],
  ['{{ index .steps .params.id "output" }}', ['steps*', 'params.id']],
  ['{{ (index .steps .params.id).output }}', ['steps*', 'params.id']],
  ['{{ (fromJson .a.b).c }}', ['a.b']],
  ['{{ json . }}', ['*']],
  ['{{ .a | default .b }}', ['b', 'a?']],
  ['{{ .a | default .b | default .c }}', ['c', 'b?', 'a?']],
  ['{{ coalesce .a .b "x" }}', ['a?', 'b?']],
  ['{{ if .a.b }}{{ .a.b.c }}{{ .a }}{{ else }}{{ .a.b }}{{ end }}', ['a.b?', 'a.b.c?', 'a', 'a.b']],
  ['{{ if exists .a }}{{ .a }}{{ end }}', ['a?', 'a?']],
  ['{{ if eq .a 1 }}{{ .a }}{{ end }}', ['a', 'a']],
  ['{{ if and .a .a.b }}{{ .a.b }}{{ end }}', ['a?', 'a.b?', 'a.b?']],
  ['{{ and .a .b }}', ['a', 'b']],
  ['{{ and (exists .a) .a }}', ['a?', 'a?']],
  ['{{ ternary .a "x" (exists .a) }}', ['a?', 'a?']],
  ['{{ with .a.b }}{{ .c }}{{ $.d }}{{ end }}', ['a.b?', 'a.b.c?', 'd']],
  ['{{ range .a.b }}{{ .c }}{{ end }}', ['a.b']],
  ['{{ range .a.b }}{{ .c }}{{ else }}{{ .d }}{{ end }}', ['a.b?', 'd']],
  ['{{ range $i, $e := .a.b }}{{ $e.c }}{{ index $.x $i }}{{ end }}', ['a.b', 'x*']],
  ['{{ $v := .a.b }}{{ $v.c }}', ['a.b?', 'a.b.c']],
  ['{{#each a.b as |x|}}{{x.c}}{{../d}}{{@root.e}}{{/each}}', ['a.b', 'd', 'e']],
  ['{{#with a}}{{#with b}}{{c}}{{../d}}{{/with}}{{/with}}', ['a?', 'a.b?', 'a.b.c?', 'a.d?']],
  ['{{#unless a}}{{b}}{{/unless}}', ['a?', 'b']],
  ['{{upper (lookup a "b")}}', ['a.b']],
])('%s', (text, expected) => {
  expect(mentions(text)).toEqual(expected)
})

test('a mention knows its place', () => {
  const parsed = parseTemplate('ab {{ upper .x.y }}\n{{ .z }}')
  expect(isFault(parsed) ? [] : parsed.mentions.map(({ offset }) => offset)).toEqual([12, 23])
  const lines = parseTemplate('{{upper\n  x.y}}')
  expect(isFault(lines) ? [] : lines.mentions.map(({ offset }) => offset)).toEqual([10])
})
