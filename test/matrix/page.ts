import { CELLS, LEGS, cellId } from './requirements/cells.ts'
import { DOWN_CONVERSIONS } from './requirements/down-conversions.ts'
import { FAULTS } from './requirements/faults.ts'
import { FEATURES, type LegKind } from './requirements/features.ts'
import { HARD_POINTS } from './requirements/hard-points.ts'
import { MESSAGES } from './requirements/messages.ts'
import type { Requirement, Status } from './requirements/row.ts'
import { RULES } from './requirements/rules.ts'
import { TRANSPORTS } from './requirements/transports.ts'
import { REQUIREMENTS } from './requirements.ts'

const WIRE_NAMES = { stdio: 'stdio', http: 'streamable HTTP', sse: 'HTTP+SSE' }
const legName = ({ era, wire }: LegKind) => `${era}, ${WIRE_NAMES[wire]}`

/** Where the page stands in the repository. */
export const PAGE = 'docs/reference/protocol.md'

/** The page about what is carried, from the table of requirements. */
export function protocolPage(): string {
  const carried = [...REQUIREMENTS.values()].filter(({ status }) => status === 'carried').length
  const blocks = [
    '# What of the protocol is carried',
    `<!-- Written by \`npm run docs\` from test/matrix/requirements. Do not edit. -->`,
    'Legacy means the revisions up to 2025-11-25 (handshake and sessions), modern means 2026-07-28 (everything in the request).',
    `Each of the ${carried} requirements that is carried is proved by a test (\`test/matrix\` and those that it names); the suite fails otherwise.`,
    '## Between client and backend',
    'Rows are clients, columns are backends.',
    ...FEATURES.flatMap(featureBlocks),
    '## Messages',
    ...messageBlocks(),
    '## For clients of older revisions',
    table(
      ['Feature', 'Clients before', 'get'],
      DOWN_CONVERSIONS.map(({ feature, since, text }) => [feature, since, text]),
    ),
    '## Where bridging is hard',
    list(HARD_POINTS.filter(isCarried)),
    '## Everywhere',
    list(RULES.filter(isCarried)),
    '## On one leg',
    list(TRANSPORTS),
    '## When something breaks',
    list(FAULTS),
    '## Deliberately not carried',
    table(
      ['What', 'Why', 'Where that is written'],
      [...RULES, ...HARD_POINTS].flatMap(({ text, status }) =>
        status === 'carried' ? [] : [[text, status.because, status.section]],
      ),
    ),
  ]
  return `${blocks.join('\n\n')}\n`
}

function featureBlocks({ name, title, text }: (typeof FEATURES)[number]): string[] {
  const reasons: string[] = []
  const mark = (status: Status) => {
    if (status === 'carried') return 'carried'
    const reason = `${status.because} (${status.section})`
    if (!reasons.includes(reason)) reasons.push(reason)
    return `n/a ${reasons.indexOf(reason) + 1}`
  }
  const statuses = new Map(CELLS.map(({ id, status }) => [id, status]))
  const rows = LEGS.map((client) => [
    legName(client),
    ...LEGS.map((backend) => mark(statuses.get(cellId(name, client, backend)) ?? 'carried')),
  ])
  const notes = reasons.map((reason, index) => `${index + 1}. ${reason}`).join('\n')
  return [`### ${title}`, sentence(text), table(['client \\ backend', ...LEGS.map(legName)], rows), notes]
}

function messageBlocks(): string[] {
  const titles = { client: 'From clients', gateway: 'To clients' }
  return (['client', 'gateway'] as const).flatMap((from) => [
    `### ${titles[from]}`,
    table(
      ['Method', 'legacy', 'modern'],
      MESSAGES.filter((message) => message.from === from).map(({ method, how }) => [
        `\`${method}\``,
        how.legacy ?? '-',
        how.modern ?? '-',
      ]),
    ),
  ])
}

const isCarried = ({ status }: Requirement) => status === 'carried'
const list = (rows: readonly Requirement[]) => rows.map(({ id, text }) => `- ${sentence(text)} \`${id}\``).join('\n')
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
