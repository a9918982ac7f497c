import { expect, test } from 'vitest'
import { isFault, parseTemplate } from './parse.ts'
import { evaluate, MISSING } from './template.ts'

const scope = {
  params: { x: 5, y: 'yes', empty: '', none: null, no: false, list: [1, 2, 3], o: { b: 1, 'a b': 2, 'c-d': { e: 3 } } },
  items: [
    { id: 1, tags: ['p', 'q'] },
    { id: 2, tags: [] },
  ],
  first: 'a root of that name',
  end: { x: 1 },
}

function give(text: string): unknown {
  const parsed = parseTemplate(text)
  if (isFault(parsed)) throw new Error(parsed.message)
  expect(parsed.dialect).toBe('handlebars')
  return evaluate(parsed, scope, { now: Date.UTC(2026, 0, 2) })
}

test.each<[string, unknown]>([
  ['{{params.x}}', 5],
  ['{{{params.x}}}', 5],
  ['{{&params.x}}', 5],
  ['{{{ params.list }}}', [1, 2, 3]],
  ['{{params.none}}', null],
  [' {{params.x}}', ' 5'],
  ['{{! note }}{{params.no}}{{!-- }} --}}', false],
  ['{{params.list}} {{params.o}} {{params.none}}', '[1,2,3] {"b":1,"a b":2,"c-d":{"e":3}} null'],
  ['{{params.list.[0]}}{{params.list.1}}{{params.o.[a b]}}{{params.o.["a b"]}}', '1222'],
  ['{{params.o.c-d.e}}', 3],
  ['{{./params.x}} {{this.params.x}} {{@root.params.x}}', '5 5 5'],
  ['{{params/x}}', 5],
  ['{{(lookup params "y")}}', 'yes'],
  ['{{(lookup params "o").b}}', 1],
  ["{{eq params.y 'yes'}}", true],
  ['{{ "a \\"b\\"" }}', 'a "b"'],
  ['{{true}}', true],
  ['{{null}}', null],
  ['{{-1.5}}', -1.5],
  ['{{first}}', 'a root of that name'],
  ['{{now}}', '2026-01-02T00:00:00.000Z'],
  ['{{elsewhere}}', MISSING],
  ['{{#if params.x}}a{{else if params.y}}b{{else}}c{{/if}}', 'a'],
  ['{{#if params.empty}}a{{else if params.y}}b{{else}}c{{/if}}', 'b'],
  ['{{#if params.absent}}a{{else if params.none}}b{{else}}c{{/if}}', 'c'],
  ['{{#if params.absent}}a{{^}}c{{/if}}', 'c'],
  ['{{#if (and params.x (eq params.y "yes"))}}both{{/if}}', 'both'],
  ['{{#unless params.no}}a{{else}}b{{/unless}}', 'a'],
  ['{{#unless params.x}}a{{else if params.y}}b{{/unless}}', 'b'],
  ['{{#each params.list as |n i|}}{{i}}={{n}};{{/each}}', '0=1;1=2;2=3;'],
  ['{{#each params.list}}{{@index}}{{@key}}{{@first}}{{@last}} {{/each}}', '00truefalse 11falsefalse 22falsetrue '],
  ['{{#each params.o}}{{@index}}{{@key}},{{/each}}', '0a b,1b,2c-d,'],
  ['{{#each items}}{{id}}{{#each tags}}{{../id}}{{this}}{{@../index}}{{/each}};{{/each}}', '11p01q0;2;'],
  ['{{#each items as |item|}}{{#each item.tags as |tag|}}{{item.id}}{{tag}} {{/each}}{{/each}}', '1p 1q '],
  ['{{#each params.absent}}x{{else}}none{{/each}}', 'none'],
  ['{{#each params.none}}x{{/each}}', ''],
  ['{{#each params.none}}x{{else if params.x}}y{{/each}}', 'y'],
  ['{{#with params.o}}{{b}}{{../params.x}}{{/with}}', '15'],
  ['{{#with params.o as |it|}}{{it.b}}{{/with}}', '1'],
  ['{{#with params.absent}}x{{else}}none{{/with}}', 'none'],
  ['a {{~params.x~}} b', 'a5b'],
  ['a {{~#if params.x~}} b {{~/if~}} c', 'abc'],
  ['{{#if params.x}}\n  a\n{{else}}\n  b\n{{/if}}\nend\n', '  a\nend\n'],
  ['x\n  {{! alone }}  \ny', 'x\ny'],
  ['x {{! not }}\ny', 'x \ny'],
  ['\\{{params.x}} {{params.x}}', '{{params.x}} 5'],
  ['\\\\{{params.x}}', '\\5'],
  ['{"a":{{params.x}}}', '{"a":5}'],
  ['no actions }} here', 'no actions }} here'],
])('%j', (text, value) => {
  if (text.includes('{{')) expect(give(text)).toEqual(value)
  else expect(parseTemplate(text)).toMatchObject({ dialect: 'literal', single: false, mentions: [] })
})

test.each<[string, number, RegExp, (string | undefined)?]>([
  ['ab {{> part}}', 3, /partials/],
  ['{{#> part}}{{/part}}', 0, /partials/],
  ['{{* deco}}', 0, /decorators/],
  ['{{#*inline "x"}}{{/inline}}', 0, /decorators/],
  ['{{{{raw}}}}{{{{/raw}}}}', 0, /raw blocks/],
  ['ab {{jsn params.x}}', 5, /no helper "jsn"/, 'did you mean "json"?'],
  ['{{upper (uper params.x)}}', 9, /no helper "uper"/, 'did you mean "upper"?'],
  ['{{json params.x indent=2}}', 16, /named arguments/],
  ['{{#if params.x includeZero=true}}{{/if}}', 15, /named arguments/],
  ['{{#fi params.x}}{{/fi}}', 0, /no block "fi"/, 'did you mean {{#if}}?'],
  ['{{^if params.x}}{{/if}}', 0, /inverse blocks/],
  ['{{#if eq params.x 5}}{{/if}}', 0, /takes 1 argument, got 3/, 'a call goes into parentheses: {{#if (eq ...)}}'],
  ['{{#if params.x}}', 0, /"if" is not closed/],
  ['{{#if params.x}}{{/each}}', 16, /expected/],
  ['{{/if}}', 0, /closes nothing/],
  ['{{else}}', 0, /without a block/],
  ['{{#if a}}{{else}}{{else}}{{/if}}', 17, /second "else"/],
  ['{{}}', 0, /nothing between/],
  ['{{params.x', 0, /not closed/],
  ['{{"abc}}', 2, /quote/],
  ['{{!-- abc }}', 0, /comment/],
  ['{{{params.x}}', 0, /"}}}"/],
  ['{{../x}}', 2, /leads out/],
  ['{{@index}}', 2, /outside of/],
  ['{{@roto.x}}', 2, /no @roto/, 'did you mean @root?'],
  ['{{params.x == 5}}', 10, /not expected/, 'write (eq a b) to compare'],
  ['{{params.x.}}', 2, /takes no arguments/],
  ['{{params..x}}', 8, /leads out/],
  ['{{undefined}}', 2, /undefined/],
  ['{{12345678901234567890}}', 2, /too many digits/],
  ['{{upper}} {{upper params.x params.y}}', 12, /upper takes 1 argument, got 2/],
  ['{{upper 5}}', 8, /upper: argument 1 must be a string, got a number/],
  ['{{params.x as |y|}}', 0, /belongs to a block/],
  ['{{#if a as |b|}}{{/if}}', 0, /at most 0/],
  ['{{(params.x) 1}}', 2, /no helper/],
])('%j is refused', (text, offset, message, hint) => {
  const fault = parseTemplate(text)
  expect(fault).toMatchObject({ offset, message: expect.stringMatching(message) as string })
  if (hint !== undefined) expect(fault).toMatchObject({ hint })
})
