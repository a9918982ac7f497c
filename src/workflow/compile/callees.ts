import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'

/** The composite tools that this one runs as steps, in loops as well. */
export const calleesOf = ({ steps }: AuthoredCompositeTool): readonly string[] =>
  steps.flatMap((step) => [step, step.step].flatMap((one) => one?.workflow ?? []))
