import { CedarTrapped, createEngine } from './cedar.ts'
import type { Engine } from './cedar.ts'
import { readEntities } from './entities.ts'
import type { Entities } from './entities.ts'
import { checkRules } from './check.ts'
import type { Suggest } from './check.ts'
import { faultAt, offsetOf } from './fault.ts'
import type { PolicyFault } from './fault.ts'
import { kindsOf } from './infer.ts'
import { prepareAll } from './judge.ts'
import { principalKey, slice } from './rule.ts'
import type { Rule } from './rule.ts'
import { scan } from './scan.ts'
import { wrongAttributes } from './schema.ts'
import { freshLists, freshMemory } from './set.ts'
import type { PolicySet } from './set.ts'
import { joinMentions, mentionsOfPolicy } from './syntax.ts'
import { nextTurn } from './turns.ts'
import { DEFAULT_GROUP_TYPE, OWN_TYPES } from './vocabulary.ts'

export interface PolicySettings {
  /** Cedar; a text may hold several policies. */
  policies: readonly string[]
  /** A JSON list of entities. */
  entitiesJson?: string | undefined
  groupClaimName?: string | undefined
  roleClaimName?: string | undefined
  groupEntityType?: string | undefined
  serverName: string
  group?: string | undefined
  /** Names of all backends. Absent: they are not known. */
  backends?: readonly string[] | undefined
}

export interface Compiled {
  /** Absent: some fault is an error. */
  set?: PolicySet
  faults: readonly PolicyFault[]
}

/** Policies between two turns of the event loop. */
const BATCH = 16
/** Units that the engine holds beyond those of the policies themselves, until it needs room for others. */
const SPARE_NUMBERS = 256

async function readRules(settings: PolicySettings, engine: Engine, faults: PolicyFault[]): Promise<Rule[]> {
  const rules: Rule[] = []
  for (const [index, text] of settings.policies.entries()) {
    const found = scan(text)
    if (found.kind === 'fault') {
      faults.push(faultAt(settings.policies, index, found.offset, found.message, found.hint))
      continue
    }
    if (found.pieces.length === 0) faults.push(faultAt(settings.policies, index, 0, 'there is no policy in it'))
    for (const [place, piece] of found.pieces.entries()) {
      if (rules.length % BATCH === 0) await nextTurn()
      try {
        const answer = engine.run((cedar) => cedar.policyToJson(piece.text))
        if (answer.type === 'failure') {
          for (const error of answer.errors) {
            const message = error.message.replace(/^failed to parse policy from string: /u, '')
            const hint = error.help ?? error.sourceLocations?.[0]?.label ?? undefined
            faults.push(faultAt(settings.policies, index, piece.offset + offsetOf(piece.text, error), message, hint))
          }
          continue
        }
        const { json } = answer
        const own = json.annotations?.['id']
        const fallback = found.pieces.length > 1 ? `policy${index}.${place}` : `policy${index}`
        rules.push({
          index,
          id: own === undefined || own === '' ? fallback : own,
          key: `p${rules.length}`,
          text: piece.text,
          offset: piece.offset,
          json,
          principal: principalKey(json),
          mentions: mentionsOfPolicy(json),
          kinds: kindsOf(json),
        })
      } catch (error) {
        if (!(error instanceof CedarTrapped)) throw error
        faults.push(faultAt(settings.policies, index, piece.offset, error.message, 'write it shorter'))
      }
    }
  }
  return rules
}

const whole = (where: PolicyFault['where'], message: string): PolicyFault => ({
  where,
  line: 1,
  column: 1,
  message,
  severity: 'error',
})

/** Reads policies without checking them. What could not be read is a fault, and is not in the set. */
export async function readPolicies(settings: PolicySettings): Promise<{ set: PolicySet; faults: PolicyFault[] }> {
  const engine = createEngine()
  const faults: PolicyFault[] = []
  let entities: Entities = new Map()
  try {
    entities = readEntities(settings.entitiesJson, engine)
    for (const message of wrongAttributes(entities)) faults.push(whole('entitiesJson', message))
  } catch (error) {
    faults.push(whole('entitiesJson', error instanceof Error ? error.message : String(error)))
  }
  const { groupEntityType = DEFAULT_GROUP_TYPE } = settings
  if (OWN_TYPES.includes(groupEntityType)) {
    const message = `${groupEntityType} is a type of the gateway's own`
    faults.push({ ...whole('groupEntityType', message), hint: `groups may be ${DEFAULT_GROUP_TYPE}` })
  }
  const rules = await readRules(settings, engine, faults)
  let last = 0
  const nextNumber = (): number => last++
  let spare = 0
  const spareNumber = (): number => -2 - (spare++ % SPARE_NUMBERS)
  const set: PolicySet = {
    engine,
    names: {
      groupClaimName: settings.groupClaimName,
      roleClaimName: settings.roleClaimName,
      groupEntityType,
      serverName: settings.serverName,
      group: settings.group,
      backends: settings.backends,
    },
    entities,
    policies: settings.policies,
    rules,
    slices: slice(rules),
    units: new Map(),
    whole: {
      number: nextNumber(),
      rules,
      policies: {},
      mentions: joinMentions(rules.map((rule) => rule.mentions)),
      kinds: undefined,
      dependence: 'nothing',
      lenient: false,
      views: new Map(),
    },
    memory: freshMemory(),
    lists: freshLists(),
    nextNumber,
    spareNumber,
  }
  return { set, faults }
}

/**
 * Reads policies and checks them against the vocabulary (contract, section 6). The engine is loaded here, so that a
 * gateway without policies never does. `suggest` finds the name that was probably meant.
 */
export async function compilePolicies(settings: PolicySettings, suggest: Suggest): Promise<Compiled> {
  const { set, faults } = await readPolicies(settings)
  faults.push(...(await checkRules(set, suggest)))
  if (faults.some((fault) => fault.severity === 'error')) return { faults }
  try {
    await prepareAll(set)
  } catch (error) {
    if (!(error instanceof CedarTrapped)) throw error
    return { faults: [...faults, whole('policies', error.message)] }
  }
  return { set, faults }
}
