import { paintFor, print } from '../terminal.ts'

/** A case that was run. */
export interface Judged {
  readonly title: string
  readonly passed: boolean
  /** What is shown below it. */
  readonly details: readonly string[]
}

/** Prints how cases have ended, for people. */
export function printCases(cases: readonly Judged[]): void {
  const paint = paintFor(process.stdout)
  for (const { title, passed, details } of cases) {
    print(`${passed ? paint.good('passed') : paint.bad('failed')}  ${title}`)
    for (const detail of details) print(detail.replaceAll(/^/gmu, '  '))
  }
  const failed = cases.filter(({ passed }) => !passed).length
  print(`${cases.length - failed} passed, ${failed} failed`)
}
