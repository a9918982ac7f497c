import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { OnError, Plan, PlannedLoop, PlannedNested, PlannedQuestion, PlannedStep, PlannedTool } from '../plan.ts'
import type { StepReport } from '../run-state.ts'
import { drawable, type Graph } from './drawable.ts'
import { mermaid } from './mermaid.ts'
import { svg } from './svg.ts'

const ABORT: OnError = { action: 'abort', retries: 0, delayMs: 1 }
const common = { after: [], timeoutMs: 1, onError: ABORT }
const never = () => ({})
const conditional = { condition: () => true }

const tool = (id: string, after: number[] = [], more: Partial<PlannedTool> = {}): PlannedTool => ({
  ...common,
  kind: 'tool',
  id,
  tool: `do_${id}`,
  after,
  arguments: never,
  repeatable: false,
  ...more,
})
const question = (id: string, after: number[] = [], more: Partial<PlannedQuestion> = {}): PlannedQuestion => ({
  ...common,
  kind: 'question',
  id,
  after,
  onDecline: 'abort',
  onCancel: 'abort',
  ask: () => ({ mode: 'form', message: '', schema: {} }),
  ...more,
})
const loop = (id: string, step: PlannedTool | PlannedNested, after: number[] = []): PlannedLoop => ({
  ...common,
  kind: 'forEach',
  id,
  after,
  step,
  itemVar: 'repo',
  maxParallel: 1,
  maxIterations: 1,
  collection: () => [],
})
const nested = (id: string, inner: Plan, after: number[] = []): PlannedNested => ({
  ...common,
  kind: 'workflow',
  id,
  after,
  plan: inner,
  arguments: never,
})
const plan = (name: string, steps: PlannedStep[]): Plan => ({
  name,
  steps,
  timeoutMs: 1,
  failureMode: 'abort',
  maxParallel: 10,
})

const release = plan('release', [
  tool('log', [], { onError: { action: 'retry', retries: 3, delayMs: 1 } }),
  question('approve', [0], { onDecline: 'skip_remaining', onCancel: 'continue' }),
  loop('each', tool('tag', [], conditional), [0]),
  nested('end', plan('notify', [tool('mail'), tool('chat', [0], conditional)]), [1, 2]),
  tool('undo', [0, 3], { ...conditional, onError: { action: 'continue', retries: 0, delayMs: 1 } }),
])

const reports: StepReport[] = [
  { id: 'log', status: 'completed', ms: 850 },
  { id: 'approve', status: 'waiting', ms: 0 },
  { id: 'each', status: 'failed', ms: 12_340, error: 'no "tag"\n<here>' },
  { id: 'end', status: 'skipped', ms: 0 },
  { id: 'undo', status: 'cancelled', ms: 125_000 },
]

test('what is drawn of a plan', () => {
  expect(drawable(release)).toEqual({
    name: 'release',
    nodes: [
      { id: 'log', kind: 'tool', calls: 'do_log', conditional: false, policies: ['up to 3 retries'] },
      {
        id: 'approve',
        kind: 'question',
        conditional: false,
        policies: ['skips the rest on decline', 'continues on cancel'],
      },
      {
        id: 'each',
        kind: 'forEach',
        calls: 'repo',
        conditional: false,
        policies: [],
        inside: {
          name: 'each',
          nodes: [{ id: 'tag', kind: 'tool', calls: 'do_tag', conditional: true, policies: [] }],
          edges: [],
        },
      },
      {
        id: 'end',
        kind: 'workflow',
        calls: 'notify',
        conditional: false,
        policies: [],
        inside: {
          name: 'notify',
          nodes: [
            { id: 'mail', kind: 'tool', calls: 'do_mail', conditional: false, policies: [] },
            { id: 'chat', kind: 'tool', calls: 'do_chat', conditional: true, policies: [] },
          ],
          edges: [{ from: 0, to: 1, conditional: true }],
        },
      },
      { id: 'undo', kind: 'tool', calls: 'do_undo', conditional: true, policies: ['continues on error'] },
    ],
    edges: [
      { from: 0, to: 1, conditional: false },
      { from: 0, to: 2, conditional: false },
      { from: 1, to: 3, conditional: false },
      { from: 2, to: 3, conditional: false },
      { from: 0, to: 4, conditional: true },
      { from: 3, to: 4, conditional: true },
    ],
  })
})

test('workflows are opened five deep, through loops as well', () => {
  let inner = plan('leaf', [tool('leaf')])
  for (let level = 0; level < 8; level++) inner = plan(`p${level}`, [loop(`l${level}`, nested(`n${level}`, inner))])
  const depth = (graph: Graph | undefined): number => (graph ? 1 + depth(graph.nodes[0]?.inside?.nodes[0]?.inside) : 0)
  expect(depth(drawable(inner))).toBe(5)
})

test('workflows that would make the picture too large stay closed, and the plan itself is drawn whole', () => {
  const many = (name: string, make: (id: string) => PlannedStep) =>
    plan(
      name,
      Array.from({ length: 100 }, (_, place) => make(`${name}${place}`)),
    )
  const small = many('small', (id) => tool(id))
  const large = many('large', (id) => nested(id, small))
  const count = ({ nodes }: Graph): number =>
    nodes.reduce((sum, { inside }) => sum + 1 + (inside ? count(inside) : 0), 0)
  const graph = drawable(many('huge', (id) => nested(id, large)))
  expect(graph.nodes).toHaveLength(100)
  expect(count(graph)).toBe(200)
  expect(mermaid(graph)).toContain('s1[["huge1<br/>workflow large"]]')
})

test('a graph as Mermaid, after a run', () => {
  expect(mermaid(drawable(release), reports)).toMatchInlineSnapshot(`
    "flowchart TD
      s0["log<br/>do_log<br/>up to 3 retries<br/>completed #183; 850 ms"]
      s1{{"approve<br/>asks the user<br/>skips the rest on decline#44; continues on cancel<br/>waiting"}}
      subgraph s2["each<br/>for each repo<br/>failed #183; 12.3 s<br/>no #34;tag#34; #60;here#62;"]
        s2_0["tag<br/>do_tag<br/>conditional"]
      end
      subgraph s3["end<br/>workflow notify<br/>skipped"]
        s3_0["mail<br/>do_mail"]
        s3_1["chat<br/>do_chat<br/>conditional"]
        s3_0 -.-> s3_1
      end
      s4["undo<br/>do_undo<br/>conditional#44; continues on error<br/>cancelled #183; 2 min 5 s"]
      s0 --> s1
      s0 --> s2
      s1 --> s3
      s2 --> s3
      s0 -.-> s4
      s3 -.-> s4
      classDef completed fill:#dafbe1,stroke:#1a7f37,color:#1f2328
      class s0 completed
      classDef waiting fill:#fff8c5,stroke:#9a6700,color:#1f2328
      class s1 waiting
      classDef failed fill:#ffebe9,stroke:#cf222e,color:#1f2328
      class s2 failed
      classDef skipped fill:#eaeef2,stroke:#8c959f,color:#1f2328
      class s3 skipped
      classDef cancelled fill:#fff1e5,stroke:#bc4c00,color:#1f2328
      class s4 cancelled
    "
  `)
})

test('without reports nothing is coloured', () => {
  expect(mermaid(drawable(release))).not.toMatch(/class/u)
  expect(svg(drawable(release))).not.toMatch(/class="step [^"]*(?:pending|completed)/u)
})

const HOSTILE = [
  'end',
  '"]; click s0 "javascript:alert(1)"',
  'a"] --> b["',
  '%%{init: {"theme":"dark"}}%%',
  'style x:#a;',
  '`**bold**` _x_ 1. one',
  '- item',
  '$$x^2$$ fa:fa-car',
  '<script>alert(1)</script>',
  ']]></style></svg><a href="x">',
  '&amp; &#60; #35; #quot;',
  'two\nlines\r\u2028more',
  '\u0000\u0007\uD800\uFFFE\u202E',
  'subgraph x\nend',
  '日本語 ñ é 👩\u200D👩',
  '\\n \\u0041 ;;;',
  '---\ntitle: x\n---',
  '{{braces}} (round) [square] >flag]',
  '__proto__',
]
const texts = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 200 }),
)

/** A plan and a run of it in which every text is someone's. */
const hostile = fc
  .array(fc.record({ id: texts, name: texts, error: texts, kind: fc.nat(3), after: fc.nat(100) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((steps) => ({
    plan: plan(
      steps[0]?.name ?? '',
      steps.map(({ id, name, kind, after }, place) => {
        const links = place === 0 ? [] : [after % place]
        const inner = tool(id, [], { tool: name })
        if (kind === 0) return tool(id, links, { tool: name })
        if (kind === 1) return question(id, links)
        return kind === 2 ? { ...loop(id, inner, links), itemVar: name } : nested(id, plan(name, [inner]), links)
      }),
    ),
    reports: steps.map(({ id, error }): StepReport => ({ id, status: 'failed', ms: 1, error })),
  }))

const LABEL = String.raw`"(?:[\p{L}\p{N} \-._]|#\d+;|<br/>)*"`
const MERMAID_LINE = new RegExp(
  `^(?:flowchart TD|\\s+(?:s[\\d_]+(?:\\[${LABEL}\\]|\\[\\[${LABEL}\\]\\]|\\{\\{${LABEL}\\}\\})|subgraph s[\\d_]+\\[${LABEL}\\]|end|s[\\d_]+ -\\.?-> s[\\d_]+|classDef [a-z]+ [\\w#:,]+|class s[\\d,s]+ [a-z]+))$`,
  'u',
)

test('no text breaks out of its quotes in Mermaid', () => {
  fc.assert(
    fc.property(hostile, ({ plan, reports }) => {
      const lines = mermaid(drawable(plan), reports).trimEnd().split('\n')
      for (const line of lines) expect(line).toMatch(MERMAID_LINE)
      expect(lines.filter((line) => /^ {2}(?:subgraph )?s\d+[[{]/u.test(line))).toHaveLength(plan.steps.length)
    }),
    { numRuns: 300 },
  )
})

test('what Mermaid would still read in a decoded text is taken apart', () => {
  const shown = mermaid(drawable(plan('p', [tool('a', [], { tool: String.raw`$$x$$ \n fa:fa-car` })])))
    .replaceAll(/#(\d+);/gu, (_, code: string) => String.fromCodePoint(Number(code)))
    .split('<br/>')[1]
  expect(shown).not.toMatch(/\$\$|\\n|fa:fa/u)
  expect(shown).toContain('$\u2060$\u2060x$\u2060$\u2060 \\\u2060n fa:\u2060fa-car')
})

/** Tags of a document that is well-formed in the small part of XML that is written here; throws at all else. */
function tagsOf(document: string): { name: string; attributes: string }[] {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Cs}/u.test(document)) throw new Error('no XML character')
  const tags: { name: string; attributes: string }[] = []
  const open: string[] = []
  const piece =
    /<(?<close>\/?)(?<name>[a-z]+)(?<attributes>(?: [a-zA-Z]+="(?:[^<>&"]|&(?:amp|lt|gt|quot);)*")*)(?<empty>\/?)>|(?:[^<>&]|&(?:amp|lt|gt|quot);|(?<=[\w.\]])>)+/uy
  while (piece.lastIndex < document.length) {
    const at = piece.lastIndex
    const found = piece.exec(document)
    if (!found) throw new Error(`not well-formed at ${document.slice(at, at + 60)}`)
    const { name, close, attributes = '', empty } = found.groups ?? {}
    if (name === undefined) continue
    if (close && open.pop() !== name) throw new Error(`</${name}> closes nothing`)
    if (!close) tags.push({ name, attributes })
    if (!close && !empty) open.push(name)
  }
  if (open.length > 0) throw new Error(`open: ${open.join()}`)
  return tags
}

const ELEMENTS = new Set(['svg', 'title', 'desc', 'style', 'rect', 'path', 'text', 'g'])

test('no text breaks out of the SVG, which stands alone', () => {
  fc.assert(
    fc.property(hostile, ({ plan, reports }) => {
      const graph = drawable(plan)
      const document = svg(graph, reports)
      const tags = tagsOf(document)
      expect(tags.filter(({ name }) => !ELEMENTS.has(name))).toEqual([])
      expect(tags.filter(({ attributes }) => /href|url|\son|style=/u.test(attributes))).toEqual([])
      expect(document.match(/<style>[^<]*/u)?.[0]).not.toMatch(/url|@import|@font/u)
      const inner = graph.nodes.filter(({ inside }) => inside).length
      const steps = tags.filter(({ attributes }) => attributes.startsWith(' class="step '))
      expect(steps).toHaveLength(plan.steps.length + inner)
    }),
    { numRuns: 300 },
  )
})

test('the SVG tells what it shows, in full also where the box has no room', () => {
  const long = 'a step with a name that is much too long for its box'
  const document = svg(drawable(plan('a & b', [tool(long)])), [
    { id: long, status: 'failed', ms: 61_000, error: 'x<y' },
  ])
  expect(document).toMatch(/^<svg [^>]*role="img"[^>]*>\n<title>Workflow a &amp; b<\/title>\n<desc>/u)
  expect(document).toContain(`<title>${long}; do_${long}; failed · 1 min 1 s; x&lt;y.</title>`)
  expect(document).toMatch(/<text class="id"[^>]*>a step with a name that[^<]*…<\/text>/u)
  expect(document).toContain('class="step tool failed"')
  expect(document).toContain('prefers-color-scheme:dark')
})

test('an error of megabytes is cut', () => {
  const graph = drawable(plan('p', [tool('a')]))
  const failed: StepReport[] = [{ id: 'a', status: 'failed', ms: 1, error: 'x y'.repeat(2_000_000) }]
  expect(svg(graph, failed).length).toBeLessThan(6_000)
  expect(mermaid(graph, failed).length).toBeLessThan(1_000)
})

test('the same plan gives the same picture', () => {
  expect(svg(drawable(release), reports)).toBe(svg(drawable(release), reports))
})

test('a hundred steps are drawn in under 50 ms', () => {
  const steps = Array.from({ length: 100 }, (_, place) =>
    tool(`step_${place}`, place === 0 ? [] : [...new Set([(place * 7) % place, (place * place * 31 + 5) % place])]),
  )
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    svg(drawable(plan('hundred', steps)))
    return performance.now() - start
  })
  expect(Math.min(...times)).toBeLessThan(50)
})
