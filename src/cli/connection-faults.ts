import { findSuspicious } from '../aggregation/suspicion/suspicion.ts'
import { checkArguments, checkNames } from '../auth/policy/names.ts'
import type { Fault } from '../config/faults.ts'
import type { LoadResult } from '../config/load.ts'
import { didYouMean } from '../model/nearest.ts'
import { GATEWAY_CALLER } from '../model/call.ts'
import type { Entry } from '../model/catalogue.ts'
import type { ShownName } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import { compositeFaults } from './workflow/faults.ts'
import { policyFault } from './configuration.ts'
import type { Served } from './session.ts'
import { withGateway } from './session.ts'
import { findingText } from './suspicious.ts'

/** What only the live backends can tell: who cannot be reached, and names that lead nowhere. */
export async function connectionFaults(served: Served, locate: LoadResult['locate']): Promise<Fault[]> {
  const { config, policies } = served
  return withGateway(served, async (gateway) => {
    const { backends, keeper } = gateway.current
    const catalogue = await keeper.forList(GATEWAY_CALLER)
    const fault = (path: string, message: string, severity: Fault['severity']): Fault => ({
      file: '(backends)',
      line: 0,
      column: 0,
      path,
      message,
      severity,
      scope: 'backend',
    })
    const shown = [...catalogue.tools.keys()]
    const unknown = (section: string, names: Iterable<string>): Fault[] =>
      [...names]
        .filter((name) => !catalogue.tools.has(name as ShownName))
        .map((name) => ({
          ...fault(`${section}.${name}`, `no tool is shown as "${name}"`, 'warning'),
          ...hinted(didYouMean(name, shown)),
        }))
    const policyNames = (): Fault[] => {
      if (!policies) return []
      // Of a backend that is away nobody knows what it offers.
      const severity = backends.every(({ state }) => state.kind !== 'failing') ? 'error' : 'warning'
      const live = {
        tools: argumentsOf(catalogue.tools, toolArguments),
        prompts: argumentsOf(catalogue.prompts, promptArguments),
        backends: backends.map(({ spec }) => spec.id),
      }
      const names = checkNames(policies, live, didYouMean).map((one) => ({ ...one, severity }) as const)
      return [...names, ...checkArguments(policies, live, didYouMean)].map((one) => policyFault(one, locate))
    }
    return [
      ...backends.flatMap(({ spec, state }) =>
        state.kind === 'failing' ? [fault(`backends.${spec.id}`, state.fault.message, 'warning')] : [],
      ),
      ...unknown('operational.timeouts.perTool', config.timeouts.perTool.keys()),
      ...unknown('rateLimiting.tools', config.limits.tools.keys()),
      ...policyNames(),
      ...compositeFaults(config, keeper.composites.values(), locate),
      ...findSuspicious(keeper.admission(GATEWAY_CALLER).offered).map((finding) =>
        fault(`backends.${finding.backend}`, `suspicious: ${findingText(finding)}`, 'warning'),
      ),
      ...catalogue.notes.map((note) => fault('aggregation', note, 'warning')),
      ...catalogue.conflicts.map(({ resolution, withheld }) =>
        fault('aggregation', resolution, withheld ? 'error' : 'warning'),
      ),
    ]
  })
}

const argumentsOf = (
  entries: ReadonlyMap<string, Entry>,
  of: (definition: JsonObject) => string[] | undefined,
): ReadonlyMap<string, string[] | undefined> =>
  new Map([...entries].map(([name, { definition }]) => [name, of(definition)]))

/** What lets a schema take more than its `properties`, so that nobody can tell what. */
const OPEN_KEYWORDS = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas', 'patternProperties']

/** Absent: the schema does not say. */
function toolArguments({ inputSchema: schema }: JsonObject): string[] | undefined {
  if (!isObject(schema) || !isObject(schema['properties'])) return undefined
  if (schema['additionalProperties'] === true || isObject(schema['additionalProperties'])) return undefined
  return OPEN_KEYWORDS.some((keyword) => Object.hasOwn(schema, keyword)) ? undefined : Object.keys(schema['properties'])
}

function promptArguments({ arguments: given }: JsonObject): string[] {
  const all = Array.isArray(given) ? given : []
  return all.flatMap((one) => (isObject(one) && typeof one['name'] === 'string' ? [one['name']] : []))
}

const hinted = (hint: string | undefined): Pick<Fault, 'hint'> => (hint === undefined ? {} : { hint })
