/** A policy that could not be evaluated, or a value that it would need and that Cedar cannot hold. */
export interface PolicyProblem {
  /** Absent: the engine itself failed. */
  policy?: string
  message: string
}

/** `by`: the ids of the policies that decided. `no-match`: no policy permits. `fault`: whatever fails denies. */
export type Decision =
  | { kind: 'allow'; by: readonly string[] }
  | { kind: 'deny'; why: 'policy' | 'no-match' | 'fault'; by: readonly string[]; faults: readonly PolicyProblem[] }

/** What some of the applicable policies say. */
export interface Verdict {
  permits: readonly string[]
  forbids: readonly string[]
  problems: readonly PolicyProblem[]
}

export const SILENT: Verdict = { permits: [], forbids: [], problems: [] }

const flat = <T>(lists: readonly (readonly T[])[]): readonly T[] =>
  lists.length === 1 ? (lists[0] ?? []) : lists.flat()

/** Any problem denies: a forbid that failed must not become an allow. Then forbids win over permits. */
export function combine(verdicts: readonly Verdict[]): Decision {
  const problems = flat(verdicts.map((one) => one.problems))
  const forbids = flat(verdicts.map((one) => one.forbids))
  if (problems.length > 0) return { kind: 'deny', why: 'fault', by: forbids, faults: problems }
  if (forbids.length > 0) return { kind: 'deny', why: 'policy', by: forbids, faults: [] }
  const permits = flat(verdicts.map((one) => one.permits))
  return permits.length > 0 ? { kind: 'allow', by: permits } : { kind: 'deny', why: 'no-match', by: [], faults: [] }
}
