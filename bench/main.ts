import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { requireProc } from './cpu.ts'
import type { Figure } from './figures.ts'
import { startGenerator } from './generator.ts'
import { endChildrenOnExit } from './processes.ts'
import { renderFigures, renderVerdicts } from './report.ts'
import type { Effort, Shape } from './shape.ts'
import { auth } from './shapes/auth.ts'
import { call } from './shapes/call.ts'
import { growth } from './shapes/growth.ts'
import { idle } from './shapes/idle.ts'
import { large } from './shapes/large.ts'
import { list } from './shapes/list.ts'
import { scale } from './shapes/scale.ts'
import { startup } from './shapes/startup.ts'
import { workflows } from './shapes/workflows.ts'
import { SUBJECTS, gatewayMissing, type Subject } from './subjects.ts'
import { judge, type Verdict } from './targets.ts'

const SHAPES: readonly Shape[] = [call, large, list, idle, scale, startup, auth, workflows, growth]

const FULL: Effort = { short: false, rounds: 5, runMs: 800, warmMs: 2_000, growthCalls: 100_000 }
const SHORT: Effort = { short: true, rounds: 3, runMs: 500, warmMs: 1_000, growthCalls: 0 }
const LONG_CALLS = 1_000_000
/** No target needs it, and the short run has no time for it. */
const TOO_SLOW = 'npm'

const HELP = `node bench/main.ts [options]

  --short            a few shapes and rounds without npm, about two minutes
  --long             the growth shape makes ${LONG_CALLS.toLocaleString('en')} calls
  --shape NAME,...   only these: ${SHAPES.map(({ name }) => name).join(', ')}
  --only NAME,...    only these subjects: ${SUBJECTS.map(({ name }) => name).join(', ')}
  --rounds N         instead of ${FULL.rounds} (short: ${SHORT.rounds})
  --assert           exit 1 when a target is missed by more than its tolerance (bench/targets.ts)

Exit codes: 0 done, 1 a target was missed or a measurement failed, 2 wrong usage.`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      shape: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      assert: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  requireProc()
  const shapes = chosen(values.shape, SHAPES, 'shape')
  const all = values.short ? SUBJECTS.filter(({ name }) => name !== TOO_SLOW) : SUBJECTS
  const wanted = values.only === undefined ? [...all] : chosen(values.only, SUBJECTS, 'subject')
  const subjects = present(wanted, values.only !== undefined || values.assert)
  const effort = { ...(values.short ? SHORT : FULL) }
  if (values.long) effort.growthCalls = LONG_CALLS
  if (values.rounds !== undefined) effort.rounds = wholeNumber(values.rounds)

  endChildrenOnExit()
  const began = performance.now()
  const seconds = () => ((performance.now() - began) / 1000).toFixed(0)
  const say = (text: string) => console.error(`[${seconds()} s] ${text}`)
  const figures: Figure[] = []
  const failures: string[] = []
  const attempt = async (what: string, measure: () => Promise<Figure[]>) => {
    say(what)
    try {
      figures.push(...(await measure()))
    } catch (error) {
      failures.push(`${what}: ${(error as Error).message}`)
      say(`FAILED ${failures.at(-1)}`)
    }
  }
  const load = startGenerator()
  try {
    for (const shape of shapes) await shape.run({ subjects, effort, load, say, attempt })
  } finally {
    await load.stop()
  }

  const verdicts = judge(figures)
  for (const { name, about } of subjects) console.log(`${name.padEnd(6)} ${about}`)
  console.log(`\n${renderFigures(figures)}\n`)
  if (subjects.some(({ name }) => name === 'vmcp')) console.log(`targets\n${renderVerdicts(verdicts)}\n`)
  console.log(`${seconds()} s, medians of ${effort.rounds} rounds; raw figures: ${save(figures, verdicts, effort)}`)
  for (const failure of failures) console.error(`failed: ${failure}`)
  return failures.length > 0 || (values.assert && verdicts.some(({ held }) => !held)) ? 1 : 0
}

class UsageError extends Error {}

function chosen<T extends { name: string }>(names: string | undefined, all: readonly T[], kind: string): T[] {
  if (names === undefined) return [...all]
  return names.split(',').map((name) => {
    const found = all.find((each) => each.name === name.trim())
    if (found) return found
    throw new UsageError(`unknown ${kind} '${name}'; there are ${all.map((each) => each.name).join(', ')}`)
  })
}

/** Without a build only the baselines run, unless the gateway was asked for. */
function present(subjects: Subject[], strict: boolean): Subject[] {
  const missing = gatewayMissing()
  if (missing === undefined || subjects.every(({ name }) => name !== 'vmcp')) return subjects
  if (strict) throw new UsageError(missing)
  console.error(`${missing}; measuring the baselines only`)
  return subjects.filter(({ name }) => name !== 'vmcp')
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0 && value <= 100) return value
  throw new UsageError(`--rounds is '${text}', not a whole number from 1 to 100`)
}

function save(figures: Figure[], verdicts: Verdict[], effort: Effort): string {
  const folder = fileURLToPath(new URL('results/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  const date = new Date().toISOString()
  const machine = { node: process.version, cpus: cpus().map(({ model }) => model) }
  const file = `${folder}${date.replaceAll(':', '-').slice(0, 19)}.json`
  writeFileSync(file, `${JSON.stringify({ date, machine, effort, figures, verdicts }, undefined, 2)}\n`)
  return file
}

try {
  process.exitCode = await main()
} catch (error) {
  const usage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
  console.error(usage ? `${(error as Error).message}\n\n${HELP}` : error)
  process.exitCode = usage ? 2 : 1
}
