import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'

import { crashing } from '../../../test/support/workflow/crashing.ts'
import { caller } from '../../../test/support/workflow/engine.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Turn } from './ports.ts'

const root = mkdtempSync(join(tmpdir(), 'vmcp-restart-'))
afterAll(() => rmSync(root, { recursive: true }))

interface Sent {
  step: string
  attempt: number
  idempotencyKey: string
}

/** Runs until what it says is enough; then it is killed, as a machine that loses its power. */
async function killedWhen(isEnough: (sent: Sent[], turn?: Turn) => boolean, ...args: string[]) {
  const child = join(import.meta.dirname, '../../../test/support/workflow/children/performer.ts')
  const performer = spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const sent: Sent[] = []
  let turn: Turn | undefined
  for await (const line of createInterface(performer.stdout)) {
    const said = JSON.parse(line) as { sent?: Sent; turn?: Turn }
    if (said.sent) sent.push(said.sent)
    turn = said.turn ?? turn
    if (isEnough(sent, turn)) performer.kill('SIGKILL')
  }
  if (performer.exitCode === null && performer.signalCode === null) await once(performer, 'exit')
  return { sent, turn }
}

async function here(folder: string) {
  const sent: (Sent & { arguments: JsonObject })[] = []
  const it = await crashing(folder, ({ step, attempt, idempotencyKey, arguments: given }) => {
    sent.push({ step, attempt, idempotencyKey, arguments: given })
    return Promise.resolve({ output: `${step} done` })
  })
  const close = async () => {
    await it.engine.close()
    await it.store.close()
  }
  return { ...it, sent, close }
}

async function untilAsking(folder: string) {
  const { turn } = await killedWhen((_, turn) => turn !== undefined, folder)
  if (turn?.kind !== 'asking') throw new Error(`${turn?.kind} instead of asking`)
  const answers = Object.fromEntries(turn.questions.map(({ id }) => [id, { action: 'accept' }]))
  return { id: turn.runId, answers }
}

test('a run that waits for its user is resumed by another process, and repeats nothing', async () => {
  const folder = mkdtempSync(join(root, 'f-'))
  const { id, answers } = await untilAsking(folder)
  const { engine, sent, close } = await here(folder)
  const turn = await engine.resume(id, 'ann', answers, caller())
  expect(turn).toMatchObject({ kind: 'finished', outcome: { status: 'completed', output: 'last done' } })
  expect(sent.map(({ step, attempt }) => `${step} ${attempt}`)).toEqual(['safe 1', 'risky 1', 'last 1'])
  expect(await engine.resume(id, 'ann', answers, caller())).toEqual(turn)
  await close()
})

test('a process that dies while steps run: what may be repeated is, the rest is unknown, whoever retries goes on', async () => {
  const folder = mkdtempSync(join(root, 'f-'))
  const { id, answers } = await untilAsking(folder)
  const dead = await killedWhen((sent) => sent.length === 2, folder, id, JSON.stringify(answers))
  const { engine, sent, close } = await here(folder)
  // Not yet known to be dead: the identical retry waits for it.
  const turn = await engine.resume(id, 'ann', answers, caller())
  expect(turn).toMatchObject({
    outcome: { status: 'completed' },
    reports: [
      { id: 'before', status: 'completed' },
      { id: 'ok', status: 'completed' },
      { id: 'safe', status: 'completed' },
      { id: 'risky', status: 'unknown' },
      { id: 'last', status: 'completed' },
    ],
  })
  expect(sent).toMatchObject([
    { step: 'safe', attempt: 2, idempotencyKey: dead.sent.find(({ step }) => step === 'safe')?.idempotencyKey },
    { step: 'last', arguments: { risky: 'unknown' } },
  ])
  await close()
})

test('of many processes that get the same answer, one performs it', async () => {
  const folder = mkdtempSync(join(root, 'f-'))
  const { id, answers } = await untilAsking(folder)
  const all = await Promise.all([here(folder), here(folder), here(folder)])
  const turns = await Promise.all(all.map(({ engine }) => engine.resume(id, 'ann', answers, caller())))
  for (const turn of turns) expect(turn).toEqual(turns[0])
  const sent = all.flatMap(({ sent }) => sent.map(({ step, attempt }) => `${step} ${attempt}`))
  expect(sent).toEqual(['safe 1', 'risky 1', 'last 1'])
  for (const { close } of all) await close()
})
