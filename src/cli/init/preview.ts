import { relative, sep } from 'node:path'
import type { Paint } from '../terminal.ts'
import { count, plain, table } from '../terminal.ts'
import { homeOf, type Machine } from '../clients.ts'
import { describe } from './describe.ts'
import { isOff } from './entry.ts'
import type { Examination } from './examine.ts'
import type { PlannedServer } from './plan.ts'
import type { LeftOut, Scan } from './scan.ts'

/** A path as a person at this machine would write it. */
export function shortPath(file: string, machine: Machine): string {
  const below = (folder: string) =>
    file.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`) ? relative(folder, file) : undefined
  const home = homeOf(machine)
  const inFolder = below(machine.cwd)
  if (inFolder !== undefined) return plain(`.${sep}${inFolder}`)
  const inHome = home === undefined ? undefined : below(home)
  return plain(inHome === undefined ? file : `~${sep}${inHome}`)
}

export function filesFound({ files }: Scan, machine: Machine, paint: Paint): string {
  const rows = files.map(({ client, file, servers, broken }) => [
    `  ${client.title}`,
    shortPath(file, machine),
    broken === undefined ? count(servers, 'server') : `skipped: ${plain(broken)}`,
  ])
  return [paint.bold('Client configurations found:'), table(rows)].join('\n')
}

const MARKS = { added: '+', changed: '~', same: ' ', kept: ' ' } as const

export interface Preview {
  /** The new file as a person would write its path. */
  output: string
  exists: boolean
  commented: boolean
  servers: readonly PlannedServer[]
  leftOut: readonly LeftOut[]
  examinations: ReadonlyMap<string, Examination>
}

/** What the file will hold, what changes, and what deserves a look. */
export function preview({ output, exists, commented, servers, leftOut, examinations }: Preview, paint: Paint): string {
  const rows = servers.map(({ name, definition, change, keys, clients }) => [
    `  ${MARKS[change]} ${plain(name)}`,
    `${examinations.get(name)?.transport ?? '?'}${isOff(definition) ? ', disabled' : ''}`,
    [
      describe(definition),
      change === 'kept' ? `[only in ${output}]` : `[${clients.join(', ')}]`,
      ...(change === 'changed' ? [`changes ${plain(keys.join(', '))}`] : []),
    ].join('  '),
  ])
  const sections = [
    `${paint.bold(`${output} ${exists ? 'will then hold' : 'will hold'} ${count(servers.length, 'server')}:`)}\n${table(rows)}`,
    ...(exists ? [changes(servers)] : []),
    ...(commented ? [`${paint.warn('note')}: the comments in ${output} will be lost`] : []),
    ...section(
      'Left out:',
      leftOut.map(({ name, client, why }) => [`  ${plain(name)}`, client.title, plain(why)]),
    ),
    ...remarks(servers, examinations, paint),
  ]
  return sections.join('\n\n')
}

function changes(servers: readonly PlannedServer[]): string {
  const amount = (wanted: PlannedServer['change']) => servers.filter(({ change }) => change === wanted).length
  return `${amount('added')} added (+), ${amount('changed')} changed (~), ${amount('same') + amount('kept')} as before, 0 removed`
}

const section = (title: string, rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0 ? [] : [`${title}\n${table(rows)}`]

function remarks(
  servers: readonly PlannedServer[],
  examinations: ReadonlyMap<string, Examination>,
  paint: Paint,
): string[] {
  const stuck = servers.filter(({ name }) => examinations.get(name)?.cannotStart).map(({ name }) => plain(name))
  const ignored = servers.flatMap(({ name }) => {
    const keys = examinations.get(name)?.ignored ?? []
    return keys.length === 0 ? [] : [[`  ${plain(name)}`, plain(keys.join(', '))]]
  })
  return [
    ...section('Settings without effect in vmcp:', ignored),
    ...(stuck.length === 0
      ? []
      : [`${paint.warn('note')}: cannot start as they stand: ${stuck.join(', ')}; vmcp validate says why`]),
  ]
}
