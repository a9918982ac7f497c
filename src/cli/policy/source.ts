import { compilePolicies } from '../../auth/policy/compile.ts'
import type { PolicySet } from '../../auth/policy/set.ts'
import type { Fault } from '../../config/faults.ts'
import { fileError, warning } from '../../config/faults.ts'
import { formatFault } from '../../config/format.ts'
import { didYouMean } from '../../model/nearest.ts'
import { load } from '../configuration.ts'
import { CliError, EXIT } from '../exit.ts'
import { readOrExit } from '../read-file.ts'

export interface ReadPolicies {
  /** Absent: some fault is an error, or there are no policies. */
  set?: PolicySet | undefined
  faults: readonly Fault[]
}

/** The policies of a configuration, or a file of them (`.cedar`). */
export async function readPolicyFile(file: string): Promise<ReadPolicies> {
  if (file.endsWith('.cedar')) return readCedar(file)
  const { faults, policies } = await load({ inputs: [file], group: undefined, recursive: false })
  return { set: policies, faults }
}

/** Throws a `CliError` that lists what is wrong. */
export async function usablePolicies(file: string): Promise<PolicySet> {
  const { set, faults } = await readPolicyFile(file)
  if (set) return set
  const errors = faults.filter(({ severity }) => severity === 'error')
  const why = errors.length > 0 ? errors.map((fault) => `\n  ${formatFault(fault)}`).join('') : ': it has none'
  throw new CliError(EXIT.config, `the policies of ${file} cannot be used${why}`)
}

async function readCedar(file: string): Promise<ReadPolicies> {
  const text = readOrExit(file, EXIT.config).toString()
  const { set, faults } = await compilePolicies({ policies: [text], serverName: 'vmcp' }, didYouMean)
  const found = faults.map(({ line, column, message, hint, severity }) =>
    (severity === 'error' ? fileError : warning)({ file, line, column, path: '' }, message, hint),
  )
  return { set, faults: found }
}
