import type { Ledger, Path } from './faults.ts'
import type { AuthoredStep } from './draft.ts'

export type StepKind = NonNullable<AuthoredStep['type']>

/** Keys that mean something only in one kind of step. */
const KEYS: Readonly<Record<StepKind, { readonly needs: readonly Key[]; readonly may: readonly Key[] }>> = {
  tool: { needs: ['tool'], may: ['arguments', 'idempotent'] },
  workflow: { needs: ['workflow'], may: ['arguments'] },
  elicitation: { needs: ['message'], may: ['schema', 'url', 'onDecline', 'onCancel'] },
  forEach: { needs: ['collection', 'step'], may: ['itemVar', 'maxParallel', 'maxIterations'] },
}
type Key = keyof AuthoredStep

/** The kind of a step; faults for keys that it lacks, or that belong to other kinds. */
export function readKind(step: AuthoredStep, path: Path, { error }: Ledger): StepKind {
  const kind = step.type ?? 'tool'
  const { needs, may } = KEYS[kind]
  for (const key of needs) {
    if (step[key] !== undefined) continue
    const meant = step.type === undefined ? kindOf(step) : undefined
    const hint = meant === undefined ? undefined : `write type: ${meant}`
    error({ path: [...path, key] }, `a step of type ${kind} needs ${key}`, hint)
  }
  for (const [other, { needs: theirs, may: also }] of Object.entries(KEYS)) {
    for (const key of [...theirs, ...also]) {
      if (other === kind || step[key] === undefined || needs.includes(key) || may.includes(key)) continue
      if (step.type === undefined && kindOf(step) === other) continue
      const owners = Object.entries(KEYS).filter(([, of]) => [...of.needs, ...of.may].includes(key))
      if (owners[0]?.[0] !== other) continue
      error(
        { path: [...path, key] },
        `${key} goes with type ${owners.map(([name]) => name).join(' or ')}, not with ${kind}`,
      )
    }
  }
  return kind
}

/** The kind that the author forgot to name. */
const kindOf = (step: AuthoredStep): StepKind | undefined =>
  step.tool === undefined
    ? (['workflow', 'forEach', 'elicitation'] as const).find((kind) =>
        KEYS[kind].needs.some((key) => step[key] !== undefined),
      )
    : undefined
