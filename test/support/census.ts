import { createHook } from 'node:async_hooks'
import { readdirSync, readlinkSync } from 'node:fs'

import { queryObjects } from 'node:v8'

import { Channel } from '../../src/backends/channel/channel.ts'
import { LegacyHttpLeg } from '../../src/backends/http/legacy.ts'
import { RunningCall } from '../../src/gateway/face/legacy/running.ts'
import { Session } from '../../src/gateway/face/http/session.ts'
import { ParkedCall } from '../../src/gateway/questions/parked-call.ts'
import { descendants } from './processes.ts'

/** What this process holds. Needs /proc. */
export interface Census {
  /** Live timers that code of ours has set, by where. */
  timers: Record<string, number>
  /** Objects of ours that are still referred to. */
  objects: Record<string, number>
  sockets: number
  pipes: number
  processes: number
}

const KINDS = [Session, RunningCall, ParkedCall, Channel, LegacyHttpLeg]

const timers = new Map<number, string>()

createHook({
  init(id, type) {
    if (type !== 'Timeout') return
    const frame = new Error().stack?.split('\n').find((line) => line.includes('/src/'))
    if (frame !== undefined) timers.set(id, frame.replace(/.*\/src\/([^:)]+).*/, '$1'))
  },
  destroy: (id) => void timers.delete(id),
}).enable()

/** Collects garbage: not for a short loop. */
export function takeCensus(): Census {
  const objects = Object.fromEntries(KINDS.map((kind) => [kind.name, queryObjects(kind, { format: 'count' })]))
  const held: Census = { timers: {}, objects, sockets: 0, pipes: 0, processes: descendants(process.pid).length }
  for (const where of timers.values()) held.timers[where] = (held.timers[where] ?? 0) + 1
  for (const fd of readdirSync('/proc/self/fd')) {
    const target = targetOf(fd)
    if (target.startsWith('socket:')) held.sockets++
    else if (target.startsWith('pipe:')) held.pipes++
  }
  return held
}

/** What there is more of now than there was, as `what: before -> now`. */
export function growth(before: Census, now: Census): string[] {
  const flat = ({ timers: set, objects, ...counts }: Census): Record<string, number> => ({
    ...counts,
    ...objects,
    ...set,
  })
  const old = flat(before)
  return Object.entries(flat(now))
    .filter(([what, count]) => count > (old[what] ?? 0))
    .map(([what, count]) => `${what}: ${old[what] ?? 0} -> ${count}`)
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // The one that read the folder.
    return ''
  }
}
