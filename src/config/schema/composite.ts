import { z } from 'zod'
import { annotationsSchema } from './aggregation.ts'
import { name, texts } from './primitives.ts'

const anyMap = () => z.record(z.string(), z.unknown())

const outputPropertySchema = z.strictObject({
  type: z.string().optional().describe('string, integer, number, boolean, object or array.'),
  description: z.string().optional().describe('What it means.'),
  value: z.unknown().optional().describe('Template that makes the value.'),
  default: z.unknown().optional().describe('Used when the template gives nothing.'),
  get properties() {
    return z.record(z.string(), outputPropertySchema).optional().describe('Members of an object.')
  },
  required: texts().optional().describe('Members that must be there.'),
  items: z.unknown().optional().describe('JSON Schema of the items of a list.'),
  enum: z.array(z.unknown()).optional().describe('The values there are.'),
})

const afterQuestionSchema = z.strictObject({
  action: z.enum(['abort', 'continue', 'skip_remaining']).describe('What to do. Required.'),
})

const stepSchema = z.strictObject({
  id: name().describe('Unique within the workflow. Required.'),
  type: z.enum(['tool', 'elicitation', 'forEach', 'workflow']).optional().describe('Kind of step. Default: tool.'),
  tool: name().optional().describe('Tool to call: its shown name, or backend.tool.'),
  workflow: name().optional().describe('Composite tool to run, with type workflow.'),
  arguments: anyMap().optional().describe('Arguments; every text is a template. Default: {}.'),
  dependsOn: texts().optional().describe('Steps that must have finished. Default: [].'),
  condition: z.string().optional().describe('Template that must give true, else the step is skipped.'),
  timeout: z.string().optional().describe('Longest time for this step. Default: 5m.'),
  onError: z
    .strictObject({
      action: z.enum(['abort', 'continue', 'retry']).optional().describe('What to do. Default: abort.'),
      retryCount: z.int().min(0).optional().describe('Further attempts, with action retry. Default: 0.'),
      maxRetries: z.int().min(0).optional().describe('Older spelling of retryCount.'),
      retryDelay: z.string().optional().describe('Wait before the first further attempt. Default: 1s.'),
    })
    .optional()
    .describe('What happens when the step fails.'),
  defaultResults: z.unknown().optional().describe('Output of the step when it is skipped or has failed.'),
  idempotent: z
    .boolean()
    .optional()
    .describe('Running the step twice does no more than running it once. Default: false.'),
  message: z.string().optional().describe('Question to the user, with type elicitation.'),
  schema: anyMap().optional().describe('JSON Schema of the answer, with type elicitation. Default: a text `response`.'),
  url: z.string().optional().describe('Address for the user to open instead of a form, with type elicitation.'),
  onDecline: afterQuestionSchema.optional().describe('When the user declines. Default: abort.'),
  onCancel: afterQuestionSchema.optional().describe('When the user cancels. Default: abort.'),
  collection: z.string().optional().describe('Template that gives a list, with type forEach.'),
  itemVar: z.string().optional().describe('Name of the item in templates. Default: item.'),
  maxParallel: z.int().min(0).optional().describe('Iterations at once. 0 means the default: 10.'),
  maxIterations: z.int().min(0).optional().describe('Longest list. 0 means the default: 100.'),
  get step() {
    return stepSchema.optional().describe('The step that is repeated, with type forEach. It needs no id.')
  },
  outputMapping: anyMap()
    .optional()
    .describe('Names under `vars` for parts of the output: paths into it, or templates.'),
})

/**
 * What the compiler of workflows refuses by itself is not refused here: there it concerns one composite tool, here the whole
 * file.
 */
export const compositeToolSchema = z.strictObject({
  name: name().describe('Name of the tool: letters, digits, ".", "_" and "-". Unique. Required.'),
  description: z.string().optional().describe('What the tool does, for clients.'),
  parameters: anyMap().optional().describe('JSON Schema of the arguments, type object.'),
  timeout: z.string().optional().describe('Longest time for a run. Default: 30m.'),
  failureMode: z.enum(['abort', 'continue']).optional().describe('Whether a failed step ends the run. Default: abort.'),
  steps: z.array(stepSchema).min(1).describe('One to a hundred steps. Required.'),
  output: z
    .strictObject({
      type: z.literal('object').optional().describe('Always object.'),
      description: z.string().optional().describe('What the result is.'),
      properties: z.record(z.string(), outputPropertySchema).optional().describe('Members of the result.'),
      required: texts().optional().describe('Members that must be there. Default: [].'),
    })
    .optional()
    .describe('How the result is made. Default: the output of the last step.'),
  annotations: annotationsSchema.optional().describe('Hints for clients. Default: derived from the steps.'),
})

export type AuthoredCompositeTool = z.infer<typeof compositeToolSchema>
