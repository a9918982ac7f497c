import { resolve } from 'node:path'
import type { Pin } from '../../aggregation/pinning/pins.ts'
import { pinsOf } from '../../aggregation/pinning/pins.ts'
import type { LockDiff } from '../../aggregation/pinning/lock.ts'
import { diffLocks, renderLock, updatedLock } from '../../aggregation/pinning/lock.ts'
import { findSuspicious } from '../../aggregation/suspicion/suspicion.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Finding } from '../../aggregation/suspicion/rules.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Caller } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import type { BackendId } from '../../model/ids.ts'
import { principalOwner } from '../../model/ids.ts'
import type { Principal } from '../../model/principal.ts'
import { principalKey } from '../../model/principal.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import { LATEST_LEGACY, LATEST_MODERN } from '../../protocol/revisions.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import type { Command } from '../args.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import { writeAtomically } from '../init/output.ts'
import { lockBeside, readLock } from '../lock-file.ts'
import { withGateway } from '../session.ts'
import { printSuspicious, subjectText } from '../suspicious.ts'
import { count, paintFor, plain, print, printError, printJson } from '../terminal.ts'

/** Servers that are slow to start may show more to a client that can do everything. */
const PROFILE_WITHIN_MS = 30_000

interface Report extends LockDiff {
  file: string
  /** Whether the file was written. */
  written: boolean
  /** Hashes in the file as it should be. */
  entries: number
  unreachable: { backend: BackendId; error: string }[]
  suspicious: Finding[]
}

export const lockCommand: Command = {
  name: 'lock',
  usage: '[FILE|DIR...] [options]',
  summary: 'Approve what the servers offer now: write the hashes of all definitions to vmcp.lock.',
  flags: {
    ...CONFIG_FLAGS,
    ...AS_FLAG,
    out: { type: 'string', value: 'FILE', help: 'the lock (vmcp.lock beside the first configuration file)' },
    check: { type: 'boolean', help: 'write nothing; exit with 1 when something is not as it was approved' },
    json: { type: 'boolean', help: 'print what changed as JSON' },
  },
  notes: [
    'Commit vmcp.lock and read its changes: vmcp serve --frozen withholds every definition that is not in it as it is.',
    'Exits with 1 when a backend cannot be reached; what was approved of it stays approved.',
  ],
  examples: ['vmcp lock mcp.json', 'vmcp lock mcp.json --check', 'vmcp serve mcp.json --frozen'],
  run: async (args) => {
    const source = sourceOf(args)
    const out = args.text('out')
    const file = out === undefined ? lockBeside(source) : resolve(out)
    const before = readLock(file) ?? new Map()
    const { served, principal } = actingAs(args, await loadOrExit(source))
    const { pins, unseen, unreachable, suspicious } = await withGateway(served, (gateway) => look(gateway, principal))
    const after = updatedLock(before, pins, unseen)
    const written = !args.on('check')
    const diff = diffLocks(before, after)
    if (written) await writeAtomically(file, renderLock(after), { mode: 0o644, flag: '--out' })
    const entries = [...after.values()].reduce((sum, { hashes }) => sum + hashes.length, 0)
    const report: Report = { file, written, entries, ...diff, unreachable, suspicious }
    if (args.on('json')) printJson(report)
    else show(report)
    const differs = !written && [diff.added, diff.changed, diff.gone].some(({ length }) => length > 0)
    return unreachable.length > 0 || differs ? EXIT.failed : EXIT.ok
  },
}

interface Look extends Pick<Report, 'unreachable' | 'suspicious'> {
  pins: Pin[]
  /** Backends of which nothing was seen, those that are switched off among them. */
  unseen: ReadonlySet<BackendId>
}

const CAPABILITIES = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: { listChanged: true },
  tasks: {
    list: {},
    cancel: {},
    requests: { elicitation: { create: {} }, sampling: { createMessage: {} } },
  },
}

/** Servers show more to clients that can be asked questions, and again others to those of either era. */
const CLIENTS = [
  { era: 'modern', profile: NO_PROFILE },
  { era: 'modern', profile: profileOf(CAPABILITIES, LATEST_MODERN) },
  { era: 'legacy', profile: profileOf(CAPABILITIES, LATEST_LEGACY) },
] as const

async function look(gateway: Gateway, principal: Principal): Promise<Look> {
  const { backends, keeper } = gateway.current
  const owner = principalOwner(principalKey(principal))
  const pins: Pin[] = []
  const suspicious = new Map<string, Finding>()
  /** Their users have to sign in first. */
  const closed = new Set<BackendId>()
  const silent = new Set(backends.map(({ spec }) => spec.id))
  for (const client of CLIENTS) {
    const caller = { ...GATEWAY_CALLER, principal, owner, ...client }
    await prepared(gateway, caller)
    for (const { spec } of backends.filter((backend) => backend.turnsAway(caller))) closed.add(spec.id)
    const { offered } = keeper.admission(caller)
    for (const { backend, lists } of offered) {
      if (!lists || closed.has(backend)) continue
      silent.delete(backend)
      pins.push(...pinsOf(backend, lists))
    }
    for (const finding of findSuspicious(offered)) suspicious.set(JSON.stringify(finding), finding)
  }
  const away = backends.filter(({ spec, state }) => !spec.disabled && (state.kind !== 'ready' || silent.has(spec.id)))
  const unseen = new Set([...backends.filter(({ spec }) => spec.disabled), ...away].map(({ spec }) => spec.id))
  return {
    // Of a backend that failed half way something may be known: half of its entries would drop the others.
    pins: pins.filter(({ backend }) => !unseen.has(backend)),
    unseen,
    unreachable: away.map(({ spec, state }) => ({
      backend: spec.id,
      error:
        state.kind === 'failing'
          ? state.fault.message
          : closed.has(spec.id)
            ? `it shows what it offers only to users who have signed in (vmcp auth login ${spec.id})`
            : 'it has not said what it offers',
    })),
    suspicious: [...suspicious.values()],
  }
}

/** Waits until it is known what this caller sees. */
async function prepared(gateway: Gateway, caller: Caller): Promise<void> {
  const { backends, keeper } = gateway.current
  const until = Date.now() + PROFILE_WITHIN_MS
  await keeper.forList(caller)
  const isWaited = (backend: Backend): boolean => !backend.turnsAway(caller) && backend.prepare(caller) !== undefined
  while (backends.some(isWaited) && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await keeper.forList(caller)
}

function show({ file, written, entries, added, changed, gone, unreachable, suspicious }: Report): void {
  const paint = paintFor(process.stdout)
  for (const one of added) print(`${paint.good('added')}    ${subjectText(one)}`)
  for (const one of changed) print(`${paint.warn('changed')}  ${subjectText(one)}`)
  for (const one of gone) print(`${paint.bad('gone')}     ${subjectText(one)}`)
  const differences = added.length + changed.length + gone.length
  const what = differences === 0 ? 'nothing has changed' : count(differences, 'difference')
  if (written) print(`${plain(file)} written: ${entries} hashes, ${what}`)
  else print(differences === 0 ? `everything is as ${plain(file)} says` : `${what} from ${plain(file)}`)
  printSuspicious(suspicious)
  for (const { backend, error } of unreachable) {
    printError(`${plain(backend)} cannot be reached, what was approved of it stays: ${plain(error)}`)
  }
}
