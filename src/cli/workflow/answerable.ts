import { isEntrance, type Plan } from '../../workflow/plan.ts'

/** What a prepared answer may be for: steps as questions name them, `deploy`, `deploy.ask`, and of each loop the first `each[0].ask`. */
export function answerable({ steps }: Plan, around = ''): string[] {
  return steps.flatMap((step) => {
    if (isEntrance(step)) return []
    const place = `${around}${step.id}`
    if (step.kind === 'workflow') return [place, ...answerable(step.plan, `${place}.`)]
    if (step.kind !== 'forEach') return [place]
    const first = `${place}[0]`
    return step.step.kind === 'workflow' ? [first, ...answerable(step.step.plan, `${first}.`)] : [first]
  })
}

/** Whether a step may ask under this name. */
export const isAnswerable = (name: string, places: readonly string[]): boolean =>
  places.includes(name.replaceAll(/\[\d+\]/gu, '[0]'))
